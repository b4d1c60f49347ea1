import CrashDump

/// The general registers of a CPU or a task, as far as the dump has them.
package struct TaskRegisters: Hashable, Sendable {
  /// x0 to x30; nil if one is not known.
  package var general = [UInt64?](repeating: nil, count: 31)
  /// The stack pointer.
  package var sp: UInt64?
  /// The program counter.
  package var pc: UInt64?
  /// PSTATE, as SPSR holds it.
  package var pstate: UInt64?

  /// None is known.
  package init() {}

  /// Those that an exception saved.
  package init(_ registers: SavedRegisters) {
    general = registers.general
    sp = registers.sp
    pc = registers.pc
    pstate = registers.pstate
  }

  /// Those of a CPU's note.
  package init(_ registers: CPURegisters) {
    general = registers.general
    sp = registers.sp
    pc = registers.pc
    pstate = registers.pstate
  }
}
