import Bytes
import DebugInfo

/// The return addresses on a shadow call stack.
package struct ShadowTrace: Sendable {
  /// The innermost first.
  package let entries: [UInt64]
  /// Whether they agree with the frame records.
  package let agrees: Bool
  /// Where the two differ, and which of them is damaged; nil if they agree.
  package let message: Diagnostic?
}

/// Reads shadow call stacks and compares them with frame records.
///
/// A shadow call stack grows up from `scs_base`; x18 points after its last entry, and so does `scs_sp` of a task that
/// is not running, or whose stack an interrupt left. CPUs have others for interrupts. (arch/arm64/include/asm/scs.h;
/// kernel/scs.c; 5.8. CPUs with pointer authentication may do without: CONFIG_UNWIND_PATCH_PAC_INTO_SCS, 6.2)
struct ShadowCallStack: Sendable {
  private let memory: KernelMemory
  private let base: UInt64
  private let pointer: UInt64
  /// The bases of each CPU's shadow call stacks.
  private let ofCPUs: [[UInt64]]
  /// The base of each task's.
  private let ofTasks: Lazy<[(start: UInt64, task: KernelTask)]>

  /// SCS_SIZE: a page since 5.11, 1 KiB before.
  private static let largest: UInt64 = 4096

  /// nil if the kernel has none.
  init?(_ context: KernelContext, _ perCPU: PerCPU?, _ tasks: Lazy<[KernelTask]>) {
    let types = context.types.value
    guard let base = types.member("thread_info.scs_base", of: "task_struct"),
      let pointer = types.member("thread_info.scs_sp", of: "task_struct")
    else { return nil }
    memory = context.memory
    ofTasks = Lazy {
      tasks.value.compactMap { task in
        context.memory.pointer(at: task.structure &+ UInt64(base.offset)).map { ($0, task) }
      }
    }
    self.base = UInt64(base.offset)
    self.pointer = UInt64(pointer.offset)
    let names = [
      "irq_shadow_call_stack_ptr", "sdei_shadow_call_stack_normal_ptr", "sdei_shadow_call_stack_critical_ptr",
    ]
    let templates = perCPU?.templates(of: names, context.symbols, types) ?? [:]
    ofCPUs = (perCPU?.offsets ?? []).map { offset in
      names.compactMap { templates[$0] }.compactMap { context.memory.pointer(at: $0 &+ offset) }.filter { $0 != 0 }
    }
  }

  /// The shadow call stack that `address` is on, of a task or a CPU; nil if it is on none.
  func stack(at address: UInt64) -> (stack: KernelStack, task: KernelTask?)? {
    func stack(_ start: UInt64, _ cpu: Int?) -> KernelStack? {
      guard start != 0, start & 7 == 0, start <= .max - Self.largest, address &- start < Self.largest else {
        return nil
      }
      return KernelStack(kind: .shadow, start: start, end: start + Self.largest, cpu: cpu)
    }
    for (start, task) in ofTasks.value {
      if let found = stack(start, nil) { return (found, task) }
    }
    for (cpu, bases) in ofCPUs.enumerated() {
      if let found = bases.lazy.compactMap({ stack($0, cpu) }).first { return (found, nil) }
    }
    return nil
  }

  /// The entries of the task at `structure`, the innermost first; nil if it has none, or they are not in the dump.
  ///
  /// - Parameters:
  ///   - live: x18 of the CPU that runs the task; nil if it does not run.
  ///   - cpu: that CPU.
  func entries(of structure: UInt64, live: UInt64?, cpu: Int?) -> [UInt64]? {
    guard let base = memory.pointer(at: structure &+ base), base != 0,
      let saved = memory.pointer(at: structure &+ pointer)
    else { return nil }
    var pieces: [ClosedRange<UInt64>] = []
    func add(_ base: UInt64, _ end: UInt64) -> Bool {
      guard base & 7 == 0, end & 7 == 0, end >= base, end - base <= Self.largest else { return false }
      if end > base { pieces.append(base...(end - 8)) }
      return true
    }
    if let live, !add(base, live) {
      let other = cpu.flatMap { ofCPUs.indices.contains($0) ? ofCPUs[$0] : nil } ?? []
      guard let interrupts = other.first(where: { live &- $0 <= Self.largest }), add(base, saved), add(interrupts, live)
      else { return nil }
    } else if live == nil, !add(base, saved) {
      return nil
    }
    var found: [UInt64] = []
    for piece in pieces {
      for address in stride(from: piece.lowerBound, through: piece.upperBound, by: 8) {
        guard let entry = memory.word(at: address) else { return nil }
        found.append(entry)
      }
    }
    return found.isEmpty ? nil : found.reversed()
  }
}
