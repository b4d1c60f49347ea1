import KernelVA

extension JSONObject {
  /// The fields of a fault.
  mutating func fault(_ fault: KernelFault) {
    string("kind", fault.kind.rawValue)
    hex("esr", fault.syndrome?.rawValue)
    string("class", fault.syndrome?.className)
    number("faultStatus", fault.syndrome?.faultStatus)
    string("status", fault.syndrome?.status)
    number("level", fault.syndrome?.level)
    bool("write", fault.isWrite)
    hex("far", fault.far)
    object("pc", fault.pc) { object, pc in
      object.hex("address", pc)
      object.string("symbol", fault.function?.name)
      object.number("offset", fault.function.map { pc &- $0.address })
    }
    let registers = fault.registers.isEmpty ? nil : fault.registers
    object("registers", registers) { object, registers in
      for register in registers { object.hex(register.name, register.value) }
    }
    object("pointers", registers) { object, _ in
      for pointer in fault.pointers { object.string(pointer.name, pointer.text) }
    }
    object("logWalk", fault.loggedWalk.isEmpty ? nil : fault.loggedWalk) { object, walk in
      for entry in walk { object.hex(entry.name, entry.entry) }
    }
    array("walk", fault.walk.isEmpty ? nil : fault.walk) { $0.step($1) }
    bool("agrees", fault.agrees)
    string("file", fault.file)
    number("line", fault.line)
    if let code = fault.code { strings("code", code) } else { string("code", nil) }
    string("object", fault.object)
  }
}

extension Output {
  /// A fault as a JSON object.
  func faultJSON(_ fault: KernelFault) {
    jsonLine { $0.fault(fault) }
  }

  /// The meaning of an entry printed in an oops, from its bits 1:0 and the kernel's name for its level.
  private static func entryWords(_ logged: (name: String, entry: UInt64)) -> String {
    switch (logged.entry & 3, logged.name) {
    case (3, "pte"), (1, _):
      let attributes = Attributes(Descriptor(rawValue: logged.entry))
      let access = attributes.isWritable ? "writable" : "read-only"
      let fetch = attributes.isExecutableEL1 ? "executable" : "not executable"
      return "\(logged.name == "pte" ? "page" : "block"), \(access), \(fetch) at EL1"
        + (attributes.isUser ? ", user space's" : "")
    case (3, _): return "table"
    default: return logged.entry == 0 ? "empty" : "invalid"
    }
  }

  /// A fault as text: what, where, the registers, the walks.
  func faultText(_ fault: KernelFault) {
    func line(_ name: String, _ value: String?) {
      if let value { field(name, value, indent: 10) }
    }
    line("kind", fault.kind.rawValue)
    if let syndrome = fault.syndrome {
      line("ESR", "\(Words.hex(syndrome.rawValue)): \(syndrome.className)")
      if let status = syndrome.status {
        line(
          "", "\(status), by a \(syndrome.isInstructionAbort ? "fetch" : syndrome.isWrite == true ? "write" : "read")")
      }
      line("", syndrome.breakImmediate.map { "immediate \(Words.hex(UInt64($0)))" })
    }
    if let far = fault.far {
      line("FAR", Words.hex(far) + (fault.kind == .nullPointer ? ": NULL + \(far)" : ""))
    }
    line("object", fault.object)
    if let pc = fault.pc {
      let place = fault.function.map { " \($0.name)+\(Words.hex(pc &- $0.address))/\(Words.hex($0.size))" } ?? ""
      line("pc", "\(Words.hex(pc))\(place)" + (fault.function?.module.map { " [\($0)]" } ?? ""))
    } else {
      line("pc", fault.pcText)
    }
    if let file = fault.file { line("source", "\(file)\(fault.line.map { ":\($0)" } ?? "")") }
    line("code", fault.code?.joined(separator: " "))
    for register in fault.registers where register.name != "pc" {
      let pointed = fault.pointers.first { $0.name == register.name }?.text
      line(register.name, Words.hex(register.value) + (pointed.map { "  \($0)" } ?? ""))
    }
    for (number, entry) in fault.loggedWalk.enumerated() {
      line(number == 0 ? "then" : "", "\(entry.name) \(Words.hex(entry.entry)): \(Self.entryWords(entry))")
    }
    for (number, step) in fault.walk.enumerated() {
      folded(indent: 12) {
        text(number == 0 ? "now   " : "      ")
        stepText(step)
        newline()
      }
    }
    if let agrees = fault.agrees {
      line("", agrees ? "the log's walk and this one agree" : "the log's walk and this one differ")
    }
    for note in fault.notes { line("note", note.advised) }
  }
}
