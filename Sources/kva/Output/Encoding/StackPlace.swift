import KernelVA

extension JSONObject {
  /// The fields of a place on a stack.
  mutating func stackPlace(_ place: StackPlace, _ kernel: Kernel) {
    string("kind", place.stack.kind.rawValue)
    hex("start", place.stack.start)
    hex("end", place.stack.end)
    number("cpu", place.stack.cpu)
    number("pid", place.task?.pid)
    string("comm", place.task?.comm)
    string("part", place.part.name)
    var found: NamedFrame?
    if case .frame(let named) = place.part { found = named }
    object("frame", found) { $0.frame($1, kernel) }
    var saved: UInt64?
    if case .registers(let registers) = place.part { saved = registers.address }
    hex("registers", saved)
    object("guard", place.guardArea) { object, range in
      object.hex("start", range.lowerBound)
      object.hex("end", range.upperBound)
    }
  }
}

extension Words {
  /// A place on a stack: which stack, whose, and what is there.
  static func place(_ place: StackPlace) -> String {
    let stack = place.stack
    var words = "\(stack.kind.rawValue) stack \(Words.range(stack.start, stack.end &- 1))"
    if let cpu = stack.cpu { words += " of CPU \(cpu)" }
    if let task = place.task {
      words += "\(stack.cpu == nil ? " of" : ", which ran") \(task.comm), pid \(task.pid)"
    }
    switch place.part {
    case .frame(let named): words += ": frame of \(named.text)"
    case .registers(let registers):
      words += ": registers saved at \(hex(registers.address)) by an exception"
      words += registers.isUser ? " from user space" : ""
    case .unused: words += ": below all frames"
    case .unknown: words += ": its frame is unknown"
    case .guardArea: words += ": in the guard below it"
    }
    if let below = place.guardArea { words += ", guard \(Words.range(below.lowerBound, below.upperBound &- 1))" }
    return words
  }
}
