import CrashDump

/// The known general registers of a CPU or a task.
package struct TaskRegisters: Hashable, Sendable {
  /// x0 to x30; nil for unknown ones.
  package var general = [UInt64?](repeating: nil, count: 31)
  /// The stack pointer.
  package var sp: UInt64?
  /// The program counter.
  package var pc: UInt64?
  /// PSTATE, as SPSR holds it.
  package var pstate: UInt64?

  /// With no register known.
  package init() {}

  /// The registers that an exception saved.
  package init(_ registers: SavedRegisters) {
    general = registers.general
    sp = registers.sp
    pc = registers.pc
    pstate = registers.pstate
  }

  /// The registers in a CPU's note.
  package init(_ registers: CPURegisters) {
    general = registers.general
    sp = registers.sp
    pc = registers.pc
    pstate = registers.pstate
  }
}
