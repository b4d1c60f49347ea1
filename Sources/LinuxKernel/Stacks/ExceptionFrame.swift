import Bytes
import DebugInfo
import KernelLayout
import VMSA

/// The layout of `struct pt_regs`, as far as unwinding needs it. x0 to x30, sp, pc and pstate are at 0, 248, 256 and
/// 264 in every version. (arch/arm64/include/asm/ptrace.h)
struct ExceptionFrame: Sendable {
  /// sizeof(struct pt_regs).
  let size: UInt64
  /// offsetof(struct pt_regs, stackframe).
  let record: UInt64
  /// Whether the records of exceptions and of the end of a chain are marked: `{0, 0, type}` (struct frame_record_meta,
  /// c2c6b27b5aa1 "arm64: stacktrace: unwind exception boundaries", 6.13).
  let hasMarkedRecords: Bool
  /// Whether every task's chain ends at the record in the `pt_regs` at the top of its stack.
  let hasFinalRecord: Bool

  /// The types of a marked record. (FRAME_META_TYPE_FINAL, FRAME_META_TYPE_PT_REGS, asm/stacktrace/frame.h)
  static let final: UInt64 = 1
  static let registers: UInt64 = 2

  init(_ types: KernelTypes, _ version: KernelVersion?) {
    let isMarked =
      types.size(of: "frame_record_meta") != nil
      || types.size(of: "pt_regs") == nil && version?.has(.markedFrameRecords) ?? false
    hasMarkedRecords = isMarked
    hasFinalRecord = isMarked || version?.has(.finalFrameRecord) ?? true
    if let size = types.size(of: "pt_regs"), let member = types.member("stackframe", of: "pt_regs"), size <= 4096 {
      self.size = UInt64(size)
      record = UInt64(member.offset)
    } else if isMarked {
      (size, record) = (320, 296)
    } else {
      (size, record) = version?.has(.exceptionStateInRegisters) ?? true ? (336, 304) : (320, 304)
    }
  }

  /// The registers at `address`; nil if they are unreadable.
  func read(at address: UInt64, in memory: KernelMemory) -> SavedRegisters? {
    guard let bytes = memory.bytes(at: address, count: 272) else { return nil }
    let span = bytes.rawSpan
    func word(_ offset: Int) -> UInt64 { span.integer(UInt64.self, at: offset) ?? 0 }
    return SavedRegisters(
      general: (0..<31).map { word($0 * 8) }, sp: word(248), pc: word(256), pstate: word(264), address: address)
  }
}

/// The registers that an exception saved on a stack.
package struct SavedRegisters: Hashable, Sendable {
  /// x0 to x30.
  package let general: [UInt64]
  /// The stack pointer: SP_EL0 of an exception from user space.
  package let sp: UInt64
  /// The address where the exception was taken (ELR).
  package let pc: UInt64
  /// PSTATE at that point (SPSR).
  package let pstate: UInt64
  /// The address of the `struct pt_regs`.
  package let address: UInt64

  /// Whether the exception came from EL0.
  package var isUser: Bool { pstate & 0xf == 0 }
}
