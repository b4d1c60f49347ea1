import Bytes

/// What an NT_PRSTATUS note says of one CPU: `struct elf_prstatus` with `user_pt_regs`.
/// (include/linux/elfcore.h; arch/arm64/include/uapi/asm/ptrace.h; target/arm/arch_dump.c of QEMU)
public struct CPURegisters: Hashable, Sendable {
  /// The number of the note, from 0. It is the CPU's number in QEMU's dumps; the kernel leaves out CPUs
  /// that did not stop.
  public let index: Int
  /// pr_pid: the task's PID in the kernel's own dumps, the CPU number plus one in QEMU's.
  public let pid: Int32
  /// x0 to x30.
  public let general: [UInt64]
  /// The stack pointer.
  public let sp: UInt64
  /// The program counter.
  public let pc: UInt64
  /// PSTATE, as SPSR holds it.
  public let pstate: UInt64

  /// Where the registers begin in the note.
  private static let registersOffset = 112

  /// Reads the descriptor of a note; nil if it is shorter than the registers.
  init?(index: Int, descriptor: RawSpan) {
    guard descriptor.byteCount >= Self.registersOffset + 34 * 8,
      let pid = descriptor.integer(UInt32.self, at: 32)
    else { return nil }
    func register(_ number: Int) -> UInt64 {
      descriptor.integer(UInt64.self, at: Self.registersOffset + number * 8) ?? 0
    }
    self.index = index
    self.pid = Int32(bitPattern: pid)
    general = (0..<31).map(register)
    sp = register(31)
    pc = register(32)
    pstate = register(33)
  }
}
