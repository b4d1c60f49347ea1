import KernelVA

/// A JSON value.
enum JSONValue: Equatable {
  case null
  case bool(Bool)
  /// A number as it was written.
  case number(String)
  case string(String)
  case array([JSONValue])
  /// The members in order; names are unique.
  case object([Member])

  /// A member of an object.
  struct Member: Equatable {
    var name: String
    var value: JSONValue
  }
}

/// Reads one JSON text (RFC 8259) strictly: nothing before or after it, no name twice in an object, strings of valid
/// UTF-8 without lone surrogates, and arrays and objects at most `Limits.jsonDepth` deep.
///
/// The result's size is bounded by the length of the text.
struct JSONReader {
  /// Why a text is not JSON.
  struct Malformed: Error {
    /// What is wrong, and at which byte, counting from 0.
    var message: String
  }

  private static let fewMembers = 8

  private let bytes: ArraySlice<UInt8>
  private var at: Int

  private init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    at = bytes.startIndex
  }

  /// The value of the JSON text `bytes`.
  static func value(_ bytes: ArraySlice<UInt8>) throws(Malformed) -> JSONValue {
    var reader = JSONReader(bytes)
    reader.skipBlanks()
    let value = try reader.value(depth: 0)
    reader.skipBlanks()
    if reader.at < bytes.endIndex { throw reader.malformed("the end is expected") }
    return value
  }

  private func malformed(_ what: String, at place: Int? = nil) -> Malformed {
    Malformed(message: "\(what) at byte \((place ?? at) - bytes.startIndex)")
  }

  private var byte: UInt8? { at < bytes.endIndex ? bytes[at] : nil }

  private mutating func skipBlanks() {
    while let next = byte, next == 0x20 || next == 0x0a || next == 0x0d || next == 0x09 { at += 1 }
  }

  /// Skips `wanted` if it is next.
  private mutating func pass(_ wanted: Unicode.Scalar) -> Bool {
    guard byte == UInt8(ascii: wanted) else { return false }
    at += 1
    return true
  }

  private mutating func value(depth: Int) throws(Malformed) -> JSONValue {
    switch byte {
    case UInt8(ascii: "\"")?: return .string(try string())
    case UInt8(ascii: "{")?: return .object(try members(depth: depth))
    case UInt8(ascii: "[")?: return .array(try elements(depth: depth))
    case UInt8(ascii: "t")?: return try word("true", .bool(true))
    case UInt8(ascii: "f")?: return try word("false", .bool(false))
    case UInt8(ascii: "n")?: return try word("null", .null)
    default: return .number(try number())
    }
  }

  private mutating func word(_ text: StaticString, _ value: JSONValue) throws(Malformed) -> JSONValue {
    let end = at + text.utf8CodeUnitCount
    guard end <= bytes.endIndex, bytes[at..<end].elementsEqual(text.description.utf8) else {
      throw malformed("a value is expected")
    }
    at = end
    return value
  }

  private mutating func open(depth: Int) throws(Malformed) {
    guard depth < Limits.jsonDepth else { throw malformed("more than \(Limits.jsonDepth) levels") }
    at += 1
    skipBlanks()
  }

  private mutating func elements(depth: Int) throws(Malformed) -> [JSONValue] {
    try open(depth: depth)
    var elements: [JSONValue] = []
    if pass("]") { return elements }
    while true {
      elements.append(try value(depth: depth + 1))
      skipBlanks()
      if pass("]") { return elements }
      guard pass(",") else { throw malformed("',' or ']' is expected") }
      skipBlanks()
    }
  }

  private mutating func members(depth: Int) throws(Malformed) -> [JSONValue.Member] {
    try open(depth: depth)
    var members: [JSONValue.Member] = []
    // A few names are compared one by one; that would be slow for many, which no valid request has.
    var names: Set<String> = []
    if pass("}") { return members }
    while true {
      let start = at
      guard byte == UInt8(ascii: "\"") else { throw malformed("a name in quotes is expected") }
      let name = try string()
      if members.count == Self.fewMembers { names = Set(members.map(\.name)) }
      let isNew =
        members.count < Self.fewMembers
        ? !members.contains { $0.name == name } : names.insert(name).inserted
      guard isNew else { throw malformed("a name that was there already", at: start) }
      skipBlanks()
      guard pass(":") else { throw malformed("':' is expected") }
      skipBlanks()
      members.append(JSONValue.Member(name: name, value: try value(depth: depth + 1)))
      skipBlanks()
      if pass("}") { return members }
      guard pass(",") else { throw malformed("',' or '}' is expected") }
      skipBlanks()
    }
  }

  /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
  private mutating func number() throws(Malformed) -> String {
    let start = at
    func isDigit(_ byte: UInt8?) -> Bool { byte.map { 0x30...0x39 ~= $0 } ?? false }
    _ = pass("-")
    guard isDigit(byte) else { throw malformed("a value is expected", at: start) }
    if !pass("0") { while isDigit(byte) { at += 1 } }
    if pass(".") {
      guard isDigit(byte) else { throw malformed("a digit is expected") }
      while isDigit(byte) { at += 1 }
    }
    if pass("e") || pass("E") {
      if !pass("+") { _ = pass("-") }
      guard isDigit(byte) else { throw malformed("a digit is expected") }
      while isDigit(byte) { at += 1 }
    }
    return String(decoding: bytes[start..<at], as: UTF8.self)
  }

  private mutating func string() throws(Malformed) -> String {
    at += 1
    let start = at
    var text: [UInt8] = []
    var plain = start
    while let next = byte {
      switch next {
      case UInt8(ascii: "\""):
        let end = at
        at += 1
        // Most strings have no escapes, and are taken as they are.
        if text.isEmpty { return try checked(bytes[plain..<end], start) }
        text += bytes[plain..<end]
        return try checked(text[...], start)
      case UInt8(ascii: "\\"):
        text += bytes[plain..<at]
        try escape(&text)
        plain = at
      case 0..<0x20: throw malformed("a control character in a string")
      default: at += 1
      }
    }
    throw malformed("a string without end", at: start - 1)
  }

  private func checked(_ bytes: ArraySlice<UInt8>, _ start: Int) throws(Malformed) -> String {
    guard let string = String(validating: bytes, as: UTF8.self) else {
      throw malformed("a string that is no UTF-8", at: start)
    }
    return string
  }

  private mutating func escape(_ text: inout [UInt8]) throws(Malformed) {
    let start = at
    at += 1
    let letter = byte
    at += 1
    switch letter {
    case UInt8(ascii: "\"")?, UInt8(ascii: "\\")?, UInt8(ascii: "/")?: text.append(letter ?? 0)
    case UInt8(ascii: "b")?: text.append(0x08)
    case UInt8(ascii: "f")?: text.append(0x0c)
    case UInt8(ascii: "n")?: text.append(0x0a)
    case UInt8(ascii: "r")?: text.append(0x0d)
    case UInt8(ascii: "t")?: text.append(0x09)
    case UInt8(ascii: "u")?:
      var code = UInt32(try unit(start))
      if 0xd800..<0xdc00 ~= code {
        guard pass("\\"), pass("u") else { throw malformed("half of a surrogate pair", at: start) }
        let low = UInt32(try unit(start))
        guard 0xdc00..<0xe000 ~= low else { throw malformed("half of a surrogate pair", at: start) }
        code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw malformed("half of a surrogate pair", at: start) }
      text += UTF8.encode(scalar).map(Array.init) ?? []
    default: throw malformed("an escape that there is not", at: start)
    }
  }

  /// Four hex digits.
  private mutating func unit(_ start: Int) throws(Malformed) -> UInt16 {
    var value: UInt16 = 0
    for _ in 0..<4 {
      guard let next = byte, let digit = Character(Unicode.Scalar(next)).hexDigitValue else {
        throw malformed("an escape that there is not", at: start)
      }
      value = value << 4 | UInt16(digit)
      at += 1
    }
    return value
  }
}
