import CrashDump
import VMSA

/// A place in code that a CPU was at, or was to return to.
package struct CodePlace: Hashable, Sendable {
  /// The address, without the code that signs it.
  package let address: UInt64
  /// Whether it is a return address: the instruction before it called. An interrupted program counter is not.
  package let isReturn: Bool

  /// Puts a place together.
  package init(_ address: UInt64, isReturn: Bool) {
    self.address = address
    self.isReturn = isReturn
  }

  /// The address to name it by. A call that does not return may be the last instruction of its function, and its
  /// return address the first of the next one.
  var named: UInt64 { isReturn ? address &- 1 : address }
}

/// The calls on the stack of a stopped CPU.
enum Backtrace {
  /// Where a stopped CPU was and where each call returns to, the innermost first: its program counter, then the
  /// frame records of its stack. Empty for a CPU that was in user space.
  ///
  ///     x29 -> | x29 of the caller | x30: where it returns to |
  ///
  /// A chain ends where a record lies at or below the one before it, or more than 64 KiB above it, or returns to
  /// no address of the kernel. (AAPCS64, 6.4.6; arch/arm64/kernel/stacktrace.c)
  static func places(_ registers: CPURegisters, in context: KernelContext) -> [CodePlace] {
    guard registers.pc >> 55 & 1 == 1, registers.general.count > 29 else { return [] }
    var result = [CodePlace(registers.pc, isReturn: false)]
    var frame = registers.general[29]
    while result.count < longest, frame & 7 == 0, let next = context.memory.word(at: frame),
      let raw = context.memory.word(at: frame &+ 8)
    {
      // A signed return address has its signature where the sign of the address would be (FEAT_PAuth).
      let address = raw >> 55 & 1 == 1 ? raw | ~0 << UInt64(context.regime.addressBits) : raw
      guard address >> 55 & 1 == 1, context.translate(VirtualAddress(address)).leaf?.attributes.isExecutableEL1 ?? false
      else {
        break
      }
      result.append(CodePlace(address, isReturn: !isException(frame, next, raw, context.memory)))
      guard next > frame, next - frame <= 64 << 10 else { break }
      frame = next
    }
    return result
  }

  /// Whether the record at `frame` is the one that exception entry makes of x29 and ELR, in `pt_regs.stackframe`: the
  /// registers before it hold the same, and the interrupted stack pointer is right behind them.
  ///
  ///     pt_regs: x0 to x30 | sp @248 | pc @256 | ... | stackframe @304, 336 bytes in all       (up to 6.12)
  ///
  /// (arch/arm64/kernel/entry.S, `kernel_entry`; 6.13 marks the record instead, c2c6b27b5aa1)
  private static func isException(_ frame: UInt64, _ next: UInt64, _ address: UInt64, _ memory: KernelMemory) -> Bool {
    let registers = frame &- 304
    return memory.word(at: registers &+ 256) == address && memory.word(at: registers &+ 29 * 8) == next
      && memory.word(at: registers &+ 248) == registers &+ 336
  }

  /// Calls in one backtrace: a stack of 16 KiB has room for a thousand, and a sound one has some thirty.
  private static let longest = 128
}
