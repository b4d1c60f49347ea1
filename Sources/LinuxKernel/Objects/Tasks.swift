import Bytes
import DebugInfo
import VMSA

/// A task: a process or one of its threads.
public struct KernelTask: Sendable {
  /// The address of its `task_struct`.
  public let structure: UInt64
  /// Its PID (`pid`).
  public let pid: Int
  /// The PID of its process (`tgid`).
  public let tgid: Int
  /// Its name (`comm`).
  public let comm: String
  /// The CPU that it runs or last ran on; nil if unreadable.
  public let cpu: Int?
  /// The letter that ps(1) shows: R, S, D, T, t, X, Z, P or I; "?" if unreadable.
  public let state: String
  /// The lowest address of its stack; 0 if it no longer has one, or that is unknown.
  public let stack: UInt64
  /// Its `mm_struct`; nil for kernel threads.
  public let mm: UInt64?
  /// The physical address of its root table; nil for kernel threads, or if unreadable.
  public let root: PhysicalAddress?
  /// The low 16 bits of its context ID: the ASID, or 0 if it has none.
  public let asid: Int?
  /// The PID of its parent (`real_parent->tgid`); nil if unreadable.
  package let parent: Int?
  /// Its effective user ID, in the initial user namespace (`real_cred->euid`); nil if unreadable.
  package let user: UInt32?
  /// Its start time, in nanoseconds since boot (CLOCK_BOOTTIME); nil if unreadable.
  package let startTime: UInt64?
  /// When it was last scheduled, in nanoseconds of the scheduler's clock (`sched_info.last_arrival`); nil without
  /// CONFIG_SCHED_INFO, and for tasks that never ran.
  package let lastRun: UInt64?
}

/// Reads the tasks of a kernel.
/// (include/linux/sched.h, `struct task_struct`; sched/signal.h, `for_each_process_thread`)
struct TaskReader: Sendable {
  let space: KernelMemory
  private let types: KernelTypes
  let tasks: TypeMember
  private let pid: TypeMember
  private let tgid: TypeMember
  let comm: TypeMember
  private let stack: TypeMember?
  private let mm: TypeMember?
  let cpu: TypeMember?
  private let onCPU: TypeMember?
  private let state: TypeMember?
  private let exitState: TypeMember?
  private let signal: TypeMember?
  private let threadNode: TypeMember?
  private let threadHead: TypeMember?
  private let pgd: TypeMember?
  private let context: TypeMember?
  private let parent: TypeMember?
  private let credentials: TypeMember?
  private let user: TypeMember?
  private let startTime: TypeMember?
  private let lastRun: TypeMember?

  /// nil if the types are unknown.
  init?(_ space: KernelMemory, _ types: KernelTypes) {
    func task(_ name: String) -> TypeMember? { types.member(name, of: "task_struct") }
    guard let tasks = task("tasks"), let pid = task("pid"), let tgid = task("tgid"), let comm = task("comm") else {
      return nil
    }
    self.space = space
    self.types = types
    self.tasks = tasks
    self.pid = pid
    self.tgid = tgid
    self.comm = comm
    stack = task("stack")
    mm = task("mm")
    // In thread_info since 5.16 (bcf9033e5449 "sched: move CPU field back into thread_info if THREAD_INFO_IN_TASK=y"),
    // in task_struct before.
    cpu = types.member("thread_info.cpu", "cpu", of: "task_struct")
    // Renamed in 5.14 (2f064a59a11f "sched: Change task_struct::state").
    state = types.member("__state", "state", of: "task_struct")
    onCPU = task("on_cpu")
    exitState = task("exit_state")
    signal = task("signal")
    threadNode = task("thread_node")
    threadHead = types.member("thread_head", of: "signal_struct")
    pgd = types.member("pgd", of: "mm_struct")
    context = types.member("context.id.counter", of: "mm_struct")
    parent = task("real_parent")
    credentials = task("real_cred")
    user = types.member("euid.val", of: "cred")
    // Renamed in 5.5, cf25e24db61c ("time: Rename tsk->real_start_time to ->start_boottime").
    startTime = types.member("start_boottime", "real_start_time", of: "task_struct")
    lastRun = task("sched_info.last_arrival")
  }

  /// All tasks: `init_task`, which is at `first`, then each process and its threads.
  func all(first: UInt64) -> Listing<KernelTask> {
    var result = Listing<KernelTask>()
    let links = space.list(at: first &+ UInt64(tasks.offset), named: "tasks")
    result.notes = links.notes
    if signal == nil {
      let reason = types.unknown("signal_struct", "only the first thread of each process is listed")
      result.note(.threadsUnlisted, text: reason.text)
    }
    var seen: Set<UInt64> = []
    var left = Limits.listElements
    for leader in [first] + links.elements.map({ $0 &- UInt64(tasks.offset) }) {
      var members = [leader]
      if let signal, let threadNode, let threadHead,
        let group = StructView(space: space, address: leader).pointer(signal), group != 0
      {
        let threads = space.list(
          at: group &+ UInt64(threadHead.offset), named: "threads of \(hex(leader))", limit: left)
        members += threads.elements.map { $0 &- UInt64(threadNode.offset) }
        left -= threads.elements.count
        result.note(threads.notes)
      }
      for address in members where seen.insert(address).inserted {
        if let task = task(at: address) {
          result.elements.append(task)
        } else {
          result.note(
            .objectUnreadable, hex(address), text: "the task at \(hex(address)) cannot be read, or is damaged")
        }
      }
    }
    return result
  }

  /// `PID_MAX_LIMIT` (include/linux/threads.h): no task has a higher number.
  private static let highestPID: Int64 = 4 << 20

  /// The task whose structure is at `pointer`, which may have a tag; nil if it is unreadable, or not a task.
  func task(at pointer: UInt64) -> KernelTask? {
    let address = space.untagged(pointer)
    let object = StructView(space: space, address: address)
    guard let number = object.signed(pid), let group = object.signed(tgid), let name = object.text(comm),
      (0...Self.highestPID).contains(number), (0...Self.highestPID).contains(group)
    else { return nil }
    let memory = object.pointer(mm).flatMap { $0 == 0 ? nil : $0 }
    // Both are kernel addresses; a stack is page-aligned, and a task that has exited has none.
    let stack = object.pointer(stack) ?? 0
    guard stack == 0 || stack >> 55 & 1 == 1 && stack & 4095 == 0,
      memory.map({ $0 >> 55 & 1 == 1 && $0 & 7 == 0 }) ?? true
    else { return nil }
    let details = memory.map { StructView(space: space, address: $0) }
    let parent = object.pointer(parent).flatMap { StructView(space: space, address: $0).signed(tgid) }
    let credentials = object.pointer(credentials).map { StructView(space: space, address: $0) }
    let root = details?.number(pgd).flatMap { space.leaf(at: $0)?.physical }
    return KernelTask(
      structure: address, pid: Int(number), tgid: Int(group), comm: name,
      cpu: object.number(cpu).flatMap { $0 < UInt64(Limits.cpus) ? Int($0) : nil }, state: letter(object),
      stack: stack, mm: memory, root: root, asid: details?.number(context).map { Int($0 & 0xffff) },
      parent: parent.flatMap { (0...Self.highestPID).contains($0) ? Int($0) : nil },
      user: credentials?.number(user).flatMap { UInt32(exactly: $0) }, startTime: object.number(startTime),
      lastRun: object.number(lastRun).flatMap { $0 == 0 ? nil : $0 })
  }

  /// Whether a CPU runs `task` (`on_cpu`).
  func isRunning(_ task: KernelTask) -> Bool {
    StructView(space: space, address: task.structure).number(onCPU) == 1
  }

  /// `task_state_to_char` (include/linux/sched.h): the lowest relevant bit, with a letter of its own for an idle sleep.
  private func letter(_ object: StructView) -> String {
    guard let state = object.number(state) else { return "?" }
    let both = (state | (object.number(exitState) ?? 0)) & 0x7f
    if state & 0x402 == 0x402 { return "I" }
    let letters = ["R", "S", "D", "T", "t", "X", "Z", "P"]
    return letters[min(both == 0 ? 0 : both.trailingZeroBitCount + 1, 7)]
  }
}

extension TaskReader {
  /// The tasks of a kernel, `init_task` first.
  static func tasks(_ space: KernelMemory, _ types: KernelTypes, _ symbols: KernelSymbols) -> Listing<KernelTask> {
    guard let reader = TaskReader(space, types) else {
      return Listing(notes: [types.unknown("task_struct")])
    }
    guard let first = symbols.symbol(named: "init_task")?.address else {
      return Listing(notes: [
        Diagnostic(
          .symbolUnknown, "init_task",
          "init_task, where the list of tasks begins, has no name and was not recognised")
      ])
    }
    guard reader.task(at: first)?.pid == 0 else {
      return Listing(notes: [
        Diagnostic(
          .symbolWrong, "init_task",
          "what the symbols call init_task, at \(hex(first)), is no task or not in the dump")
      ])
    }
    return reader.all(first: first)
  }
}

extension TaskReader {
  /// `init_task`: the task in the data that is called "swapper", has PID 0, and whose neighbours on the task list point
  /// back to it. (`INIT_TASK_COMM`, include/linux/init_task.h; "/0" is added by `init_idle`)
  func findFirst(_ search: DataSectionScan) -> UInt64? {
    search.place(of: Array("swapper".utf8)) { place in isFirst(place &- UInt64(comm.offset)) }
      .map { $0 &- UInt64(comm.offset) }
  }

  /// Whether `init_task` is at `address`.
  func isFirst(_ address: UInt64) -> Bool {
    guard address & 7 == 0, let task = task(at: address), task.pid == 0, task.tgid == 0,
      cpu == nil || task.cpu != nil, task.comm == "swapper" || task.comm.hasPrefix("swapper/")
    else { return false }
    let link = address &+ UInt64(tasks.offset)
    guard let next = space.pointer(at: link), let previous = space.pointer(at: link &+ 8) else { return false }
    return space.pointer(at: next &+ 8) == link && space.pointer(at: previous) == link
  }
}
