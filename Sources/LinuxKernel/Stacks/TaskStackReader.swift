import Bytes
import CrashDump
import DebugInfo
import VMSA

/// Unwinds tasks.
struct TaskStackReader: Sendable {
  let context: KernelContext
  private let names: KernelNames
  let frame: ExceptionFrame
  private let saved: Lazy<SavedContext?>
  /// Every thread.
  let tasks: Lazy<[KernelTask]>
  /// What each CPU was doing.
  let cpus: Lazy<[CPUState]>
  let stacks: Lazy<CPUStacks>
  private let hooks: Lazy<ReturnHooks?>
  private let locks: Lazy<LockWaitReader>
  private let clock: Lazy<RunClock?>
  let shadows: Lazy<ShadowCallStack?>

  init(
    _ context: KernelContext, _ names: KernelNames, _ cpus: Lazy<[CPUState]>, _ perCPU: Lazy<PerCPU?>,
    _ tasks: Lazy<[KernelTask]>
  ) {
    self.context = context
    self.names = names
    self.cpus = cpus
    self.tasks = tasks
    frame = ExceptionFrame(context.types.value, context.facts.version)
    saved = Lazy { SavedContext(context, tasks.value) }
    stacks = Lazy { CPUStacks(context, perCPU.value) }
    locks = Lazy { LockWaitReader(context, tasks) }
    clock = Lazy { RunClock(context, perCPU.value) }
    shadows = Lazy { ShadowCallStack(context, perCPU.value, tasks) }
    hooks = Lazy { ReturnHooks(context.memory, context.types.value, context.symbols) }
  }

  /// THREAD_SIZE.
  var threadSize: UInt64 { ThreadSize.bytes(context.layout.configuration) }

  func instruction(at address: UInt64) -> UInt32? { context.memory.integer(UInt32.self, at: address) }

  func isMapped(_ address: UInt64) -> Bool { context.memory.leaf(at: address) != nil }

  /// The stack of `task`.
  ///
  /// - Parameter scan: also include words on its stack that look like return addresses.
  func stack(of task: KernelTask, scan: Bool) -> TaskStack {
    let found = stack(of: task)
    guard scan, task.stack != 0 else { return found }
    let known = Set(found.trace.records)
    let scanned = scanned(ownStack(of: task), from: found.trace.frames.compactMap(\.sp).min(), known)
    return TaskStack(
      task: task, runningOn: found.runningOn, frames: found.frames + named(scanned), trace: found.trace,
      shadow: found.shadow, wait: found.wait, sinceRun: found.sinceRun)
  }

  /// The registers of `task`: those of the CPU that ran it, or those that it saved; nil if the dump has neither.
  func registers(of task: KernelTask) -> TaskRegisters? {
    guard let state = cpus.value.first(where: { $0.task?.structure == task.structure }) else {
      return saved.value?.registers(of: task, in: context.memory)
    }
    return state.registers.map { TaskRegisters($0) }
  }

  /// Whether the return addresses on the stacks of sleeping tasks, of which at most `most` are checked, are signed.
  func signsReturnAddresses(_ tasks: [KernelTask], most: Int) -> Bool {
    guard let saved = saved.value else { return false }
    return tasks.lazy.filter { $0.stack != 0 }.prefix(most).contains { task in
      guard let fp = saved.read(of: task, in: context.memory)?.fp, let address = context.memory.word(at: fp &+ 8) else {
        return false
      }
      return address >> 55 & 1 == 1 && address != unwinder(ownStack(of: task), [], of: nil).stripped(address)
    }
  }

  /// The words of `stack` that point after a call instruction, except those in the frame records at `known`.
  private func scanned(_ stack: KernelStack, from start: UInt64?, _ known: Set<UInt64>) -> [StackFrame] {
    var found: [StackFrame] = []
    let unwinder = unwinder(stack, [], of: nil)
    let first = start.flatMap { stack.contains($0) ? $0 & ~7 : nil } ?? stack.start
    for address in stride(from: first, to: stack.end, by: 8) {
      guard !known.contains(address &- 8), let raw = context.memory.word(at: address),
        case let pc = unwinder.stripped(raw), isReturnAddress(pc)
      else { continue }
      found.append(StackFrame(pc: pc, kind: .scanned, sp: address, stack: stack.kind))
    }
    return found
  }

  /// Whether there is code at `pc`, after a call.
  private func isReturnAddress(_ pc: UInt64) -> Bool {
    guard pc & 3 == 0, VirtualAddress(pc).isUpperHalf,
      context.memory.leaf(at: pc)?.attributes.isExecutableEL1 ?? false,
      let call = context.memory.integer(UInt32.self, at: pc &- 4)
    else { return false }
    return A64Call.isCall(call)
  }

  private func stack(of task: KernelTask) -> TaskStack {
    guard let state = cpus.value.first(where: { $0.task?.structure == task.structure }) else {
      return named(task, nil, nil, sleeping(task))
    }
    guard let registers = state.registers else {
      return named(
        task, state.cpu, nil,
        .broken(
          Diagnostic(
            .registersMissing, "cpu\(state.cpu)",
            "it was running on CPU \(state.cpu), and the dump has no registers of that CPU")))
    }
    return named(
      task, state.cpu, registers, running(registers, task.structure, stack: ownStack(of: task), on: state.cpu))
  }

  /// The frames of a CPU that stopped with `registers`, whatever it was running.
  func trace(_ registers: CPURegisters) -> [NamedFrame] {
    let state = cpus.value.first { $0.registers == registers }
    // Stacks are aligned to their size.
    let size = threadSize
    let start = registers.sp & ~(size - 1)
    let assumed = KernelStack(kind: .task, start: start, end: start &+ size, cpu: nil)
    let own = state?.task.flatMap { $0.stack == 0 ? nil : ownStack(of: $0) } ?? assumed
    return named(running(registers, state?.task?.structure, stack: own, on: state?.cpu ?? registers.index).frames)
  }

  func ownStack(of task: KernelTask) -> KernelStack {
    KernelStack(kind: .task, start: task.stack, end: task.stack &+ threadSize, cpu: nil)
  }

  private func running(
    _ registers: CPURegisters, _ structure: UInt64?, stack: KernelStack, on cpu: Int
  ) -> Backtrace {
    unwinder(stack, stacks.value.of(cpu), of: structure).unwind(
      SavedRegisters(
        general: registers.general, sp: registers.sp, pc: registers.pc, pstate: registers.pstate, address: 0))
  }

  private func sleeping(_ task: KernelTask) -> Backtrace {
    guard task.stack != 0 else {
      var trace = Backtrace.broken(Diagnostic(.taskEnded, "it has ended: it has no stack any more"))
      if let pc = saved.value?.read(of: task, in: context.memory)?.pc {
        trace.frames = [StackFrame(pc: pc, kind: .call, sp: nil, stack: nil)]
      }
      return trace
    }
    guard let saved = saved.value else {
      return .broken(
        context.types.value.unknown("task_struct", "where its registers were saved is not known"))
    }
    guard let (pc, fp, sp) = saved.read(of: task, in: context.memory) else {
      return .broken(
        Diagnostic(.objectUnreadable, "task_struct", "its registers, in its task_struct, are not in the dump"))
    }
    // A CPU's stacks belong to the task that it runs.
    return unwinder(ownStack(of: task), [], of: task.structure).unwind(pc: pc, fp: fp, sp: sp)
  }

  private func unwinder(_ task: KernelStack, _ others: [KernelStack], of structure: UInt64?) -> Unwinder {
    Unwinder(
      memory: context.memory, layout: frame, addressBits: context.regime.addressBits, task: task, others: others,
      hooks: hooks.value, structure: structure, function: { names.symbol(containing: $0) })
  }

  private func named(
    _ task: KernelTask, _ cpu: Int?, _ registers: CPURegisters?, _ trace: Backtrace
  ) -> TaskStack {
    let frames = named(trace.frames)
    return TaskStack(
      task: task, runningOn: cpu, frames: frames, trace: trace, shadow: shadow(task, cpu, registers, frames, trace),
      wait: cpu == nil && task.stack != 0 && task.state != "R"
        ? locks.value.wait(of: task.structure, frames, on: ownStack(of: task)) : nil,
      sinceRun: cpu == nil ? clock.value?.sinceRun(task) : nil)
  }

  private func shadow(
    _ task: KernelTask, _ cpu: Int?, _ registers: CPURegisters?, _ frames: [NamedFrame], _ trace: Backtrace
  ) -> ShadowTrace? {
    // At EL0 x18 belongs to the process.
    guard task.stack != 0, cpu == nil || registers.map({ $0.pstate & 0xf != 0 }) ?? false, !frames.isEmpty,
      let entries = shadows.value?.entries(of: task.structure, live: registers?.general[18], cpu: cpu)
    else { return nil }
    let unwinder = unwinder(ownStack(of: task), [], of: nil)
    let interruptions = frames.indices.filter { frames[$0].frame.kind == .interrupted }
    let links = interruptions.compactMap { place in
      trace.exceptions.first { $0.pc == frames[place].frame.pc && $0.sp == frames[place].frame.sp }
        .map { (place, unwinder.stripped($0.general[30])) }
    }
    return ShadowComparison(
      frames: frames, links: Dictionary(links, uniquingKeysWith: { first, _ in first }), isBroken: trace.end == .broken,
      isReturnAddress: isReturnAddress,
      name: { address in
        named(StackFrame(pc: address, kind: .call, sp: nil, stack: .shadow)).text
      }
      // A kernel that signs return addresses saves them signed.
    ).result(entries.map(unwinder.stripped))
  }

  private func named(_ frames: [StackFrame]) -> [NamedFrame] { frames.map(named) }

  func named(_ frame: StackFrame) -> NamedFrame {
    // An unresolved trampoline appears as its own start address.
    let isTrampoline = hooks.value?.isTrampoline(frame.pc) ?? false
    return NamedFrame(
      frame: frame, symbol: names.symbol(containing: isTrampoline ? frame.pc : frame.symbolAddress))
  }
}

extension Backtrace {
  /// An empty backtrace with a reason.
  static func broken(_ why: Diagnostic) -> Backtrace {
    var trace = Backtrace()
    trace.message = why
    return trace
  }
}
