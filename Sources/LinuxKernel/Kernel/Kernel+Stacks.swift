import Bytes
import CrashDump
import VMSA

extension Kernel {
  /// Where `task` is: its frames, by frame records.
  ///
  /// - Parameter scan: add what else on its stack looks like a return address, marked `scanned`.
  public func stack(of task: KernelTask, scan: Bool = false) -> TaskStack {
    contents.stacks.value.stack(of: task, scan: scan)
  }

  /// The idle task of each CPU; those of all but the first are on no list.
  public var idleTasks: [KernelTask] { IdleTasks.all(context, contents.perCPU.value) }

  /// Every thread: `init_task`, the idle tasks of the other CPUs, and the tasks of the list.
  public var allTasks: [KernelTask] {
    var seen: Set<UInt64> = []
    let listed = tasks.elements
    return (Array(listed.prefix(1)) + idleTasks + listed.dropFirst()).filter { seen.insert($0.structure).inserted }
  }

  /// The tasks that `text` names: a PID, cpuN, or 0x and the address of a `struct task_struct`.
  public func task(named text: String) -> Result<KernelTask, QueryFailure> {
    contents.taskQuery.task(text)
  }

  /// The tasks that a question without one is about: the one that crashed, or else those that the CPUs ran.
  public var foremostTasks: [KernelTask] {
    if let number = panicCPU, let task = cpus.first(where: { $0.cpu == number })?.task { return [task] }
    if let reason = crashReason, let task = crashedTask(reason) { return [task] }
    return cpus.compactMap(\.task)
  }
}
