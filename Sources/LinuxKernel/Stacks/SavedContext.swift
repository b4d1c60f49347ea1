import Bytes
import DebugInfo

/// Where a task that is not running saves x29, sp and its program counter. (`struct cpu_context`,
/// arch/arm64/include/asm/processor.h)
struct SavedContext: Sendable {
  /// Bytes from the start of `struct task_struct`.
  private let fp: UInt64
  private let sp: UInt64
  private let pc: UInt64

  /// From the type, or inferred from sleeping tasks: fp, sp and pc are adjacent, the first two on the task's stack and
  /// the third in executable memory, at the same offset in all of them.
  init?(_ context: KernelContext, _ tasks: [KernelTask]) {
    let types = context.types.value
    if let fp = types.member("thread.cpu_context.fp", of: "task_struct"),
      let sp = types.member("thread.cpu_context.sp", of: "task_struct"),
      let pc = types.member("thread.cpu_context.pc", of: "task_struct")
    {
      self.fp = UInt64(fp.offset)
      self.sp = UInt64(sp.offset)
      self.pc = UInt64(pc.offset)
      return
    }
    guard let offset = Self.search(context, tasks) else { return nil }
    (fp, sp, pc) = (offset, offset + 8, offset + 16)
  }

  /// The largest `struct task_struct`.
  private static let largestTask = 16 << 10
  /// The number of tasks that must agree, and that are examined.
  private static let fewest = 4
  private static let most = 32

  private static func search(_ context: KernelContext, _ tasks: [KernelTask]) -> UInt64? {
    let size = ThreadSize.bytes(context.layout.configuration)
    let sleeping = tasks.filter { $0.stack != 0 && $0.state != "R" }.prefix(most)
    var places: [UInt64: Int] = [:]
    var looked = 0
    for task in sleeping {
      var found: [UInt64] = []
      // The structure may be shorter: it is read as far as possible.
      for start in stride(from: 0, to: largestTask, by: 4096) {
        guard let bytes = context.memory.bytes(at: task.structure &+ UInt64(start), count: 4096 + 16) else { break }
        let span = bytes.rawSpan
        for offset in stride(from: 0, to: 4096, by: 8) {
          guard let fp = span.integer(UInt64.self, at: offset), fp &- task.stack < size, fp & 7 == 0,
            let sp = span.integer(UInt64.self, at: offset + 8), sp &- task.stack < size, sp <= fp,
            let pc = span.integer(UInt64.self, at: offset + 16), pc & 3 == 0,
            context.memory.leaf(at: pc)?.attributes.isExecutableEL1 ?? false
          else { continue }
          found.append(UInt64(start + offset))
        }
      }
      if !found.isEmpty { looked += 1 }
      for place in found { places[place, default: 0] += 1 }
    }
    guard looked >= fewest else { return nil }
    let right = places.filter { $0.value == looked }
    return right.count == 1 ? right.first?.key : nil
  }

  /// The context that `task` saved; nil if it is unreadable.
  func read(of task: KernelTask, in memory: KernelMemory) -> (pc: UInt64, fp: UInt64, sp: UInt64)? {
    guard let pc = memory.word(at: task.structure &+ pc), let fp = memory.word(at: task.structure &+ fp),
      let sp = memory.word(at: task.structure &+ sp)
    else { return nil }
    return (pc, fp, sp)
  }

  /// The registers with which `task` returns from `cpu_switch_to`: the callee-saved ones, which precede fp, and fp, sp
  /// and pc.
  func registers(of task: KernelTask, in memory: KernelMemory) -> TaskRegisters? {
    guard let (pc, fp, sp) = read(of: task, in: memory) else { return nil }
    var registers = TaskRegisters()
    for number in 19...28 {
      registers.general[number] = memory.word(at: task.structure &+ self.fp &- 8 &* UInt64(29 - number))
    }
    registers.general[29] = fp
    registers.sp = sp
    registers.pc = pc
    return registers
  }
}
