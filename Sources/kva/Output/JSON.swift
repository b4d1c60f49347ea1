/// One JSON object a line, written field by field in the order given.
extension Output {
  /// Writes an object and ends the line.
  func jsonLine(_ fields: (inout JSONObject) -> Void) {
    jsonObject(fields)
    newline()
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

  /// Writes a string with its quotes. Text is UTF-8 already; only quotes, backslashes and control characters
  /// are escaped.
  func jsonString(_ string: String) {
    byte(UInt8(ascii: "\""))
    let isPlain = string.utf8.allSatisfy {
      $0 >= 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
    }
    if isPlain { text(string) } else { escaped(string) }
    byte(UInt8(ascii: "\""))
  }

  private func escaped(_ string: String) {
    for value in string.utf8 {
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
}

/// The fields of an object that is being written. A value that is nil is written as null.
struct JSONObject {
  let output: Output
  private var isFirst = true

  init(output: Output) { self.output = output }

  /// A field's name, in which nothing has to be escaped.
  private mutating func key(_ name: String) {
    output.text(isFirst ? "\"" : ",\"")
    isFirst = false
    output.text(name)
    output.text("\":")
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

  mutating func bool(_ name: String, _ value: Bool?) {
    key(name)
    output.text(value.map { $0 ? "true" : "false" } ?? "null")
  }

  mutating func object(_ name: String, _ fields: (inout JSONObject) -> Void) {
    key(name)
    output.jsonObject(fields)
  }

  mutating func array<Element>(
    _ name: String, _ elements: some Sequence<Element>, _ fields: (inout JSONObject, Element) -> Void
  ) {
    key(name)
    output.jsonArray(elements, fields)
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
    for byte in value { output.digits(UInt64(byte), atLeast: 2) }
    output.byte(UInt8(ascii: "\""))
  }
}
