import KernelVA

extension JSONObject {
  /// The fields of an entry on the way of a walk.
  mutating func step(_ step: WalkStep) {
    number("level", step.level)
    number("index", step.index)
    hex("address", step.address.rawValue)
    hex("descriptor", step.descriptor.rawValue)
    string("kind", Words.name(step.kind))
  }
}

extension Output {
  /// An entry for people, without the end of the line: level, index, address, value, what it is.
  func stepText(_ step: WalkStep) {
    text("    L\(step.level)[\(step.index)] ")
    hex(step.address.rawValue)
    text(": 0x")
    digits(step.descriptor.rawValue, atLeast: 16)
    text(" \(Words.name(step.kind))")
  }
}
