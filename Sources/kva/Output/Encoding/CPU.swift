import KernelVA

extension JSONObject {
  /// The fields of a CPU.
  mutating func cpu(_ state: CPUState, cnp: Bool?) {
    number("cpu", state.cpu)
    hex("pc", state.registers?.pc)
    hex("sp", state.registers?.sp)
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
}
