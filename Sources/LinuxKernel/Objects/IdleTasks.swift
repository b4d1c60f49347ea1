import Bytes
import DebugInfo

/// The idle task of each CPU, which is on no list. (`struct rq`, kernel/sched/sched.h)
enum IdleTasks {
  /// Those found in the run queue of each CPU, or as the task that a CPU ran.
  private static func all(_ context: KernelContext, _ perCPU: PerCPU?) -> [KernelTask] {
    let types = context.types.value
    guard let perCPU, let reader = TaskReader(context.memory, types) else { return [] }
    let idle = types.member("idle", of: "rq")
    let template = perCPU.templates(of: ["runqueues"], context.symbols, types)["runqueues"]
    return perCPU.offsets.enumerated().compactMap { cpu, offset in
      let queued = template.flatMap { start in
        StructView(space: context.memory, address: start &+ offset).number(idle)
      }
      let address = queued ?? perCPU.address("__entry_task", cpu: cpu).flatMap { context.memory.word(at: $0) }
      return address.flatMap { reader.task(at: $0) }.flatMap { $0.pid == 0 ? $0 : nil }
    }
  }

  /// `listed`, which begins with `init_task`, followed by the idle tasks of the other CPUs.
  static func joined(with listed: [KernelTask], _ context: KernelContext, _ perCPU: PerCPU?) -> [KernelTask] {
    var seen: Set<UInt64> = []
    return (Array(listed.prefix(1)) + all(context, perCPU) + listed.dropFirst())
      .filter { seen.insert($0.structure).inserted }
  }
}
