/// One JSON object per line, written field by field in the order given.
extension Output {
  /// Writes an object on a line of its own, or as the next element of an array.
  func jsonLine(_ fields: (inout JSONObject) -> Void) {
    switch framing {
    case .lines:
      jsonObject(fields)
      newline()
    case .elements(let isFirst):
      if !isFirst { byte(UInt8(ascii: ",")) }
      framing = .elements(isFirst: false)
      jsonObject(fields)
    }
  }

  /// Writes an object.
  func jsonObject(_ fields: (inout JSONObject) -> Void) {
    byte(UInt8(ascii: "{"))
    var object = JSONObject(output: self)
    fields(&object)
    byte(UInt8(ascii: "}"))
  }

  /// Writes an array of objects.
  func jsonArray<Element>(_ elements: some Sequence<Element>, _ fields: (inout JSONObject, Element) -> Void) {
    byte(UInt8(ascii: "["))
    var isFirst = true
    for element in elements {
      if !isFirst { byte(UInt8(ascii: ",")) }
      isFirst = false
      jsonObject { fields(&$0, element) }
    }
    byte(UInt8(ascii: "]"))
  }

  /// Writes a string with its quotes. Text is already UTF-8; only quotes, backslashes and control characters are
  /// escaped.
  func jsonString(_ string: String) {
    byte(UInt8(ascii: "\""))
    if ControlBytes.arePresent(in: string.utf8.span.rawSpan, orQuotes: true) {
      for value in string.utf8 { escaped(value) }
    } else {
      text(string)
    }
    byte(UInt8(ascii: "\""))
  }

  /// Writes an integer of the kernel, given by its 64 bits.
  func jsonInteger(_ value: Int64, isSigned: Bool) {
    let magnitude = isSigned ? value.magnitude : UInt64(bitPattern: value)
    let isNegative = isSigned && value < 0
    let isString = magnitude >= 1 << 53
    if isString { byte(UInt8(ascii: "\"")) }
    if isNegative { byte(UInt8(ascii: "-")) }
    if isString { hex(magnitude) } else { decimal(magnitude) }
    if isString { byte(UInt8(ascii: "\"")) }
  }

  /// Writes one byte of a string.
  func escaped(_ value: UInt8) {
    switch value {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"):
      byte(UInt8(ascii: "\\"))
      byte(value)
    case UInt8(ascii: "\n"): text("\\n")
    case UInt8(ascii: "\t"): text("\\t")
    case 0..<0x20, 0x7f:
      text("\\u")
      digits(UInt64(value), atLeast: 4)
    default: byte(value)
    }
  }
}

/// The fields of an object being written. A nil value is written as null.
struct JSONObject {
  /// The number of the JSON format that kva-json(5) describes. It increases if a field changes its meaning, not if one
  /// is added.
  static let schema = 1

  let output: Output
  private var isFirst = true

  init(output: Output) { self.output = output }

  /// A field's name, which needs no escaping.
  private mutating func key(_ name: String) {
    output.text(isFirst ? "\"" : ",\"")
    isFirst = false
    output.text(name)
    output.text("\":")
  }

  /// A name that comes from a dump.
  mutating func memberKey(_ name: String) {
    if !isFirst { output.text(",") }
    isFirst = false
    output.jsonString(name)
    output.text(":")
  }

  mutating func string(_ name: String, _ value: String?) {
    key(name)
    if let value { output.jsonString(value) } else { output.text("null") }
  }

  /// An address or descriptor: a string, since many readers lose 64-bit integers.
  mutating func hex(_ name: String, _ value: UInt64?) {
    key(name)
    guard let value else { return output.text("null") }
    output.byte(UInt8(ascii: "\""))
    output.hex(value)
    output.byte(UInt8(ascii: "\""))
  }

  mutating func number(_ name: String, _ value: (some FixedWidthInteger)?) {
    key(name)
    guard let value else { return output.text("null") }
    if value < 0 { output.byte(UInt8(ascii: "-")) }
    output.decimal(UInt64(value.magnitude))
  }

  /// An integer of the kernel, given by its 64 bits: a number if all readers preserve it, up to 2^53 - 1, else a hex
  /// string.
  mutating func integer(_ name: String, _ value: Int64, isSigned: Bool) {
    key(name)
    output.jsonInteger(value, isSigned: isSigned)
  }

  mutating func bool(_ name: String, _ value: Bool?) {
    key(name)
    output.text(value.map { $0 ? "true" : "false" } ?? "null")
  }

  mutating func object(_ name: String, _ fields: (inout JSONObject) -> Void) {
    key(name)
    output.jsonObject(fields)
  }

  /// An optional object.
  mutating func object<Value>(_ name: String, _ value: Value?, _ fields: (inout JSONObject, Value) -> Void) {
    key(name)
    guard let value else { return output.text("null") }
    output.jsonObject { fields(&$0, value) }
  }

  mutating func array<Element>(
    _ name: String, _ elements: (some Sequence<Element>)?, _ fields: (inout JSONObject, Element) -> Void
  ) {
    key(name)
    guard let elements else { return output.text("null") }
    output.jsonArray(elements, fields)
  }

  mutating func numbers(_ name: String, _ values: [some FixedWidthInteger]) {
    key(name)
    output.byte(UInt8(ascii: "["))
    for (index, value) in values.enumerated() {
      if index > 0 { output.byte(UInt8(ascii: ",")) }
      if value < 0 { output.byte(UInt8(ascii: "-")) }
      output.decimal(UInt64(value.magnitude))
    }
    output.byte(UInt8(ascii: "]"))
  }

  mutating func strings(_ name: String, _ values: [String]) {
    key(name)
    output.byte(UInt8(ascii: "["))
    for (index, value) in values.enumerated() {
      if index > 0 { output.byte(UInt8(ascii: ",")) }
      output.jsonString(value)
    }
    output.byte(UInt8(ascii: "]"))
  }

  /// Bytes as one string of hex digits.
  mutating func bytes(_ name: String, _ value: ArraySlice<UInt8>?) {
    key(name)
    guard let value else { return output.text("null") }
    output.byte(UInt8(ascii: "\""))
    for byte in value { output.digits(ofByte: byte) }
    output.byte(UInt8(ascii: "\""))
  }
}
