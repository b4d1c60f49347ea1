import Bytes
import DebugInfo

/// The stacks that each CPU has besides those of tasks: of interrupts, of overflows, of SDEI.
/// (`irq_stack_ptr`, arch/arm64/kernel/irq.c; `overflow_stack`, traps.c; `sdei_stack_normal_ptr`, sdei.c)
struct CPUStacks: Sendable {
  /// By CPU; empty if per-CPU data were not found.
  let all: [[KernelStack]]

  private static let pointers: [(variable: String, kind: KernelStack.Kind)] = [
    ("irq_stack_ptr", .irq), ("sdei_stack_normal_ptr", .sdeiNormal), ("sdei_stack_critical_ptr", .sdeiCritical),
  ]

  init(_ context: KernelContext, _ perCPU: PerCPU?) {
    guard let perCPU else {
      all = []
      return
    }
    let size = ThreadSize.bytes(context.layout.configuration)
    let names = Self.pointers.map(\.variable) + ["overflow_stack"]
    let templates = perCPU.templates(of: names, context.symbols, context.types.value)
    all = perCPU.offsets.enumerated().map { cpu, offset in
      var stacks: [KernelStack] = []
      for (name, kind) in Self.pointers {
        guard let template = templates[name], let start = context.memory.pointer(at: template &+ offset), start != 0,
          start <= .max - size
        else { continue }
        stacks.append(KernelStack(kind: kind, start: start, end: start + size, cpu: cpu))
      }
      if let template = templates["overflow_stack"], case let start = template &+ offset,
        start <= .max - ThreadSize.overflowBytes
      {
        stacks.append(
          KernelStack(kind: .overflow, start: start, end: start + ThreadSize.overflowBytes, cpu: cpu))
      }
      return stacks
    }
  }
}
