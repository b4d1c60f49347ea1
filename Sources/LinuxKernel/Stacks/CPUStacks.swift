import Bytes
import DebugInfo

/// The stacks of each CPU besides those of tasks: for interrupts, overflows, SDEI, and KVM at EL2. All CPUs share the
/// one for EFI calls, one at a time. (`irq_stack_ptr`, arch/arm64/kernel/irq.c; `overflow_stack`, traps.c;
/// `sdei_stack_normal_ptr`, sdei.c; `kvm_arm_hyp_stack_base`, arch/arm64/kvm/arm.c, `kvm_arm_hyp_stack_page` to 6.12;
/// `efi_rt_stack_top`, efi.c, 6.2)
struct CPUStacks: Sendable {
  /// By CPU; empty if per-CPU data was not found.
  let all: [[KernelStack]]

  /// Those of `cpu`.
  func of(_ cpu: Int) -> [KernelStack] { all.indices.contains(cpu) ? all[cpu] : [] }

  private static let pointers: [(variable: String, kind: KernelStack.Kind)] = [
    ("irq_stack_ptr", .irq), ("sdei_stack_normal_ptr", .sdeiNormal), ("sdei_stack_critical_ptr", .sdeiCritical),
    ("kvm_arm_hyp_stack_base", .hyp), ("kvm_arm_hyp_stack_page", .hyp),
  ]

  init(_ context: KernelContext, _ perCPU: PerCPU?) {
    guard let perCPU else {
      all = []
      return
    }
    let size = ThreadSize.bytes(context.layout.configuration)
    let top =
      context.symbols.addresses(of: ["efi_rt_stack_top"]).values.first.flatMap { context.memory.pointer(at: $0) } ?? 0
    let efi = top > size ? [KernelStack(kind: .efi, start: top - size, end: top, cpu: nil)] : []
    let names = Self.pointers.map(\.variable) + ["overflow_stack"]
    let templates = perCPU.templates(of: names, context.symbols, context.types.value)
    all = perCPU.offsets.enumerated().map { cpu, offset in
      var stacks = efi
      for (name, kind) in Self.pointers {
        let size = kind == .hyp ? context.regime.granule.size : size
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
