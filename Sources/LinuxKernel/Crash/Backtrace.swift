import CrashDump
import VMSA

/// The calls on the stack of a stopped CPU.
enum Backtrace {
  /// Where a stopped CPU was and where each call returns to, the innermost first: its program counter, then the
  /// frame records of its stack. Empty for a CPU that was in user space.
  ///
  ///     x29 -> | x29 of the caller | x30: where it returns to |
  ///
  /// A chain ends where a record lies at or below the one before it, or more than 64 KiB above it, or returns to
  /// no address of the kernel. (AAPCS64, 6.4.6; arch/arm64/kernel/stacktrace.c)
  static func addresses(_ registers: CPURegisters, in context: KernelContext) -> [UInt64] {
    guard registers.pc >> 55 & 1 == 1, registers.general.count > 29 else { return [] }
    var result = [registers.pc]
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
      result.append(address)
      guard next > frame, next - frame <= 64 << 10 else { break }
      frame = next
    }
    return result
  }

  /// Calls in one backtrace: a stack of 16 KiB has room for a thousand, and a sound one has some thirty.
  private static let longest = 128
}
