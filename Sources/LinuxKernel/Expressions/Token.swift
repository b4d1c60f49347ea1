import Bytes

/// A token of an expression, and its range in the text.
struct Token: Equatable {
  enum Kind: Equatable {
    /// A name, with `@cpuN`, `MODULE:` or `:N` as part of it.
    case name(String)
    /// An integer, and whether its suffix or its size makes it unsigned, and long.
    case number(UInt64, isUnsigned: Bool, isLong: Bool)
    /// A punctuator.
    case sign(String)
    case end
  }
  var kind: Kind
  var range: Range<Int>
}

/// Splits an expression into C tokens.
struct Lexer {
  private let bytes: [UInt8]
  private var at = 0

  /// Longest first.
  private static let signs = [
    "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "->", "++", "--", "+=", "-=", "...", "+", "-", "*", "/", "%", "&",
    "|", "^", "~", "!", "<", ">", "=", "(", ")", "[", "]", ".", ",", "?", ":", "{", "}", ";",
  ].map { Array($0.utf8) }

  private init(_ text: String) { bytes = Array(text.utf8) }

  /// The tokens of `text`, `end` last.
  static func tokens(_ text: String) throws(ExpressionFailure) -> [Token] {
    guard text.utf8.count <= Limits.expressionBytes else {
      throw ExpressionFailure("an expression of more than \(Limits.expressionBytes) bytes")
    }
    var lexer = Lexer(text)
    var tokens: [Token] = []
    while true {
      let token = try lexer.next()
      tokens.append(token)
      if token.kind == .end { return tokens }
    }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || byte == UInt8(ascii: "_")
  }
  private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

  private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

  private mutating func next() throws(ExpressionFailure) -> Token {
    while at < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[at]) { at += 1 }
    let start = at
    guard at < bytes.count else { return Token(kind: .end, range: at..<at) }
    let first = bytes[at]
    if Self.isLetter(first) { return name() }
    if Self.isDigit(first) { return try number() }
    if first == UInt8(ascii: "'") { return try character() }
    if first == UInt8(ascii: "\"") { throw ExpressionFailure("an expression has no strings", at: at..<bytes.count) }
    if first == UInt8(ascii: "$") {
      throw ExpressionFailure("an expression has no registers", at: at..<at + 1)
    }
    for sign in Self.signs where bytes[at...].starts(with: sign) {
      at += sign.count
      return Token(kind: .sign(text(start..<at)), range: start..<at)
    }
    // A non-ASCII character counts as one, however many bytes it has.
    var end = at + 1
    while end < bytes.count, bytes[end] & 0xc0 == 0x80 { end += 1 }
    throw ExpressionFailure("unexpected '\(text(at..<end))'", at: at..<end)
  }

  private mutating func word() -> Range<Int> {
    let start = at
    // Compilers generate names such as do_one.constprop.0, but here a dot selects a member.
    while at < bytes.count, Self.isLetter(bytes[at]) || Self.isDigit(bytes[at]) || bytes[at] == UInt8(ascii: "$") {
      at += 1
    }
    return start..<at
  }

  private mutating func name() -> Token {
    let start = at
    _ = word()
    if at < bytes.count, bytes[at] == UInt8(ascii: "@") {
      at += 1
      _ = word()
    }
    return Token(kind: .name(text(start..<at)), range: start..<at)
  }

  private mutating func number() throws(ExpressionFailure) -> Token {
    let range = word()
    let spelling = text(range)
    var digits = Substring(spelling.lowercased())
    var radix = 10
    var isUnsigned = false
    var longs = 0
    if digits.hasPrefix("0x") {
      digits = digits.dropFirst(2)
      radix = 16
    } else if digits.hasPrefix("0b") {
      digits = digits.dropFirst(2)
      radix = 2
    } else if digits.hasPrefix("0"), digits.dropFirst().first?.isNumber ?? false {
      digits = digits.dropFirst()
      radix = 8
    }
    while let last = digits.last, last == "u" || last == "l" {
      if last == "u" { isUnsigned = true } else { longs += 1 }
      digits = digits.dropLast()
    }
    guard longs <= 2, digits.first?.isHexDigit ?? false else {
      throw ExpressionFailure("'\(spelling)' is not a number", at: range)
    }
    guard let value = UInt64(digits, radix: radix) else {
      if digits.allSatisfy({ $0.isHexDigit }), radix == 16 || UInt64(digits, radix: 16) == nil {
        throw ExpressionFailure("'\(spelling)' is more than 64 bits", at: range)
      }
      let hint = digits.allSatisfy({ $0.isHexDigit }) ? "; hex is 0x\(digits)" : ""
      throw ExpressionFailure("'\(spelling)' is not a number\(hint)", at: range)
    }
    let isLong = longs > 0 || value > (radix == 10 && !isUnsigned ? UInt64(Int32.max) : UInt64(UInt32.max))
    let isBeyond = value > UInt64(Int64.max) || radix != 10 && !isLong && value > UInt64(Int32.max)
    return Token(kind: .number(value, isUnsigned: isUnsigned || isBeyond, isLong: isLong), range: range)
  }

  private mutating func character() throws(ExpressionFailure) -> Token {
    let start = at
    let escapes: [UInt8: UInt8] = [
      UInt8(ascii: "n"): 10, UInt8(ascii: "t"): 9, UInt8(ascii: "0"): 0, UInt8(ascii: "\\"): 0x5c,
      UInt8(ascii: "'"): 0x27,
    ]
    let rest = bytes[(at + 1)...]
    if rest.count >= 2, let value = rest.first, value != 0x5c, rest[at + 2] == UInt8(ascii: "'") {
      at += 3
      return Token(kind: .number(UInt64(value), isUnsigned: false, isLong: false), range: start..<at)
    }
    if rest.count >= 3, rest.first == 0x5c, let value = escapes[rest[at + 2]], rest[at + 3] == UInt8(ascii: "'") {
      at += 4
      return Token(kind: .number(UInt64(value), isUnsigned: false, isLong: false), range: start..<at)
    }
    throw ExpressionFailure("a character constant is one character in quotes, such as 'a'", at: start..<bytes.count)
  }
}
