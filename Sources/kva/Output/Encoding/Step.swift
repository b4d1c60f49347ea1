import KernelVA

extension JSONObject {
  /// The fields of a step of a walk.
  mutating func step(_ step: WalkStep) {
    number("level", step.level)
    number("index", step.index)
    hex("address", step.address.rawValue)
    hex("descriptor", step.descriptor.rawValue)
    string("kind", Words.name(step.kind))
  }
}

extension Output {
  /// An entry as text, without a newline: level, index, address, value, kind.
  func stepText(_ step: WalkStep) {
    text("    L\(step.level)[\(step.index)] ")
    hex(step.address.rawValue)
    text(": 0x")
    digits(step.descriptor.rawValue, atLeast: 16)
    text(" \(Words.name(step.kind))")
  }
}
