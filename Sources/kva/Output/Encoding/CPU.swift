import KernelVA

extension JSONObject {
  /// The fields of a CPU.
  mutating func cpu(_ state: CPUState, cnp: Bool?) {
    number("cpu", state.cpu)
    hex("pc", state.registers?.pc)
    hex("sp", state.registers?.sp)
    object("registers", state.registers) { $0.general($1) }
    number("pid", state.task?.pid)
    string("comm", state.task?.comm)
    hex("task", state.task?.structure)
    hex("ttbr0", state.ttbr0?.value)
    hex("ttbr1", state.ttbr1.value)
    bool("cnp", cnp)
    bool("atEL0", state.isAtEL0)
    hex("userTables", state.userTables?.rawValue)
    object("sources") { sources in
      sources.string("ttbr0", state.ttbr0?.source)
      sources.string("ttbr1", state.ttbr1.source)
    }
  }

  /// The registers of a note, by name.
  mutating func general(_ registers: CPURegisters) {
    for (number, value) in registers.general.enumerated() { hex("x\(number)", value) }
    hex("sp", registers.sp)
    hex("pc", registers.pc)
    hex("pstate", registers.pstate)
  }
}
