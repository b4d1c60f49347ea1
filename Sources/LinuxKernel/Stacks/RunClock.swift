import Bytes
import DebugInfo

/// How long ago tasks ran, by the clocks of the run queues. (`struct rq`, kernel/sched/sched.h; `update_curr`)
struct RunClock: Sendable {
  private let memory: KernelMemory
  private let start: TypeMember
  /// For each CPU, how far its clock is ahead of the task clock, which stops during interrupts.
  private let ahead: [UInt64]
  /// The latest clock of all CPUs: those of idle CPUs stand still.
  private let now: UInt64

  /// nil if the run queues or their types are unknown.
  init?(_ context: KernelContext, _ perCPU: PerCPU?) {
    let types = context.types.value
    guard let perCPU, let start = types.member("se.exec_start", of: "task_struct"),
      let clock = types.member("clock", of: "rq"), let taskClock = types.member("clock_task", of: "rq"),
      let template = perCPU.templates(of: ["runqueues"], context.symbols, types)["runqueues"]
    else { return nil }
    let clocks = perCPU.offsets.map { offset in
      let queue = StructView(space: context.memory, address: template &+ offset)
      return (all: queue.number(clock) ?? 0, tasks: queue.number(taskClock) ?? 0)
    }
    guard let now = clocks.map(\.all).max(), now > 0 else { return nil }
    memory = context.memory
    self.start = start
    self.now = now
    ahead = clocks.map { $0.all > $0.tasks ? $0.all - $0.tasks : 0 }
  }

  /// Nanoseconds since `task` left its CPU; nil if it runs, never ran, or that is unknown.
  func sinceRun(_ task: KernelTask) -> UInt64? {
    guard task.state != "R", let cpu = task.cpu, ahead.indices.contains(cpu),
      let last = StructView(space: memory, address: task.structure).number(start), last > 0
    else { return nil }
    let (left, overflow) = last.addingReportingOverflow(ahead[cpu])
    return overflow || left > now ? nil : now - left
  }
}
