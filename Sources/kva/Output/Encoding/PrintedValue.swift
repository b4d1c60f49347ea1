import KernelVA

extension Output {
  /// An expression and its value as a JSON object.
  func printedJSON(_ query: String, _ type: CType, _ address: UInt64?, _ value: CValue) {
    jsonLine { object in
      object.string("query", query)
      object.string("type", type.text)
      object.hex("address", address)
      object.value("value", value)
    }
  }

  /// A value as JSON.
  func jsonValue(_ value: CValue) {
    switch value {
    case .integer(let bits, let isSigned): jsonInteger(bits, isSigned: isSigned)
    case .wide(let low, let high):
      text(high == 0 ? "\"" : "\"0x")
      if high == 0 { hex(low) } else { digits(high); digits(low, atLeast: 16) }
      text("\"")
    case .bool(let bool): text(bool ? "true" : "false")
    case .floating(let number): number.isFinite ? text("\(number)") : jsonString("\(number)")
    case .pointer(let address, _):
      text("\"")
      hex(address)
      text("\"")
    case .enumeration(let bits, let isSigned, _): jsonInteger(bits, isSigned: isSigned)
    case .text(let string): jsonString(string)
    case .record(let members):
      jsonObject { object in
        for (name, value) in members { object.value(name, value) }
      }
    case .array(let elements, _):
      text("[")
      for (index, element) in elements.enumerated() {
        if index > 0 { text(",") }
        jsonValue(element)
      }
      text("]")
    case .unreadable, .omitted: text("null")
    }
  }
}

extension JSONObject {
  /// A field for a kernel value.
  mutating func value(_ name: String, _ value: CValue) {
    memberKey(name)
    output.jsonValue(value)
  }
}

/// Values as C writes them.
extension Output {
  /// A value with its type, as a cast or a compound literal.
  func valueText(_ type: CType, _ value: CValue, inHex: Bool) {
    text("(")
    printable(type.text)
    text(")")
    self.value(value, 0, inHex: inHex)
    newline()
  }

  /// Only the value, in one line unless it is a structure or a long array.
  func value(_ value: CValue, _ depth: Int, inHex: Bool) {
    switch value {
    case .integer(let bits, let isSigned): integer(bits, isSigned: isSigned, inHex: inHex)
    case .wide(let low, let high):
      text("0x")
      if high == 0 { digits(low) } else { digits(high); digits(low, atLeast: 16) }
    case .bool(let bool): text(bool ? "true" : "false")
    case .floating(let number): text("\(number)")
    case .pointer(let address, let note):
      hex(address)
      switch note {
      case .none: break
      case .symbol(let symbol):
        text(" <")
        escapedName(symbol)
        text(">")
      case .text(let string):
        text(" ")
        quoted(string)
      }
    case .enumeration(let bits, let isSigned, let name):
      if let name { printable(name) } else { integer(bits, isSigned: isSigned, inHex: inHex) }
    case .text(let string): quoted(string)
    case .record(let members): record(members, depth, inHex: inHex)
    case .array(let elements, let count): array(elements, count, depth, inHex: inHex)
    case .unreadable(let reason): text("/* \(reason.text) */")
    case .omitted: text("{ ... }")
    }
  }

  private func integer(_ bits: Int64, isSigned: Bool, inHex: Bool) {
    let magnitude = isSigned ? bits.magnitude : UInt64(bitPattern: bits)
    if isSigned, bits < 0 { text("-") }
    if inHex { hex(magnitude) } else { decimal(magnitude) }
  }

  /// A string as C writes it.
  private func quoted(_ string: String) {
    text("\"")
    for value in string.utf8 {
      switch value {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        text("\\")
        byte(value)
      case 0x0a: text("\\n")
      case 0x09: text("\\t")
      default: byte(value < 0x20 || value == 0x7f ? UInt8(ascii: "?") : value)
      }
    }
    text("\"")
  }

  private func indent(_ depth: Int) { spaces(4 * depth) }

  private func record(_ members: [(name: String, value: CValue)], _ depth: Int, inHex: Bool) {
    guard !members.isEmpty else { return text("{}") }
    text("{\n")
    for (name, value) in members {
      indent(depth + 1)
      text(".")
      escapedName(name)
      text(" = ")
      self.value(value, depth + 1, inHex: inHex)
      text(",\n")
    }
    indent(depth)
    text("}")
  }

  /// Consecutive equal elements are written once, with the range of their indices.
  private func array(_ elements: [CValue], _ count: Int, _ depth: Int, inHex: Bool) {
    guard !elements.isEmpty else { return text("{}") }
    let isFlat = elements.allSatisfy { $0.isPlain }
    text(isFlat ? "{ " : "{\n")
    var index = 0
    while index < elements.count {
      var last = index
      while last + 1 < elements.count, elements[last + 1].isSame(elements[index]) { last += 1 }
      if !isFlat { indent(depth + 1) }
      if last > index + 1 || !isFlat {
        text(last > index ? "[\(index) ... \(last)] = " : "[\(index)] = ")
      } else {
        last = index
      }
      value(elements[index], depth + 1, inHex: inHex)
      index = last + 1
      if index < elements.count || count > elements.count || !isFlat { text(isFlat ? ", " : ",\n") }
    }
    if count > elements.count {
      if !isFlat { indent(depth + 1) }
      text("/* \(count - elements.count) more */\(isFlat ? " " : "\n")")
    } else if isFlat {
      text(" ")
    }
    if !isFlat { indent(depth) }
    text("}")
  }
}

extension CValue {
  /// Whether it fits into a line among others.
  fileprivate var isPlain: Bool {
    switch self {
    case .integer, .wide, .bool, .floating, .enumeration, .omitted: true
    case .pointer(_, .none): true
    default: false
    }
  }

  /// Whether it is written like `other`.
  fileprivate func isSame(_ other: CValue) -> Bool {
    switch (self, other) {
    case (.integer(let a, _), .integer(let b, _)): a == b
    case (.bool(let a), .bool(let b)): a == b
    case (.pointer(let a, _), .pointer(let b, _)): a == b
    case (.enumeration(let a, _, _), .enumeration(let b, _, _)): a == b
    case (.text(let a), .text(let b)): a == b
    case (.wide(let a, let b), .wide(let c, let d)): a == c && b == d
    case (.record(let a), .record(let b)):
      a.count == b.count && zip(a, b).allSatisfy { $0.name == $1.name && $0.value.isSame($1.value) }
    case (.array(let a, let m), .array(let b, let n)):
      m == n && a.count == b.count && zip(a, b).allSatisfy { $0.isSame($1) }
    case (.unreadable(let a), .unreadable(let b)): a == b
    case (.omitted, .omitted): true
    default: false
    }
  }
}
