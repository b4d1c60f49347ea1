/// Numbers and bytes in the protocol's hex, which has no prefix.
enum Hex {
  private static let letters = Array("0123456789abcdef".utf8)

  /// The value of a digit; nil if it is not one.
  static func digit(_ letter: UInt8) -> UInt8? {
    switch letter {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): letter - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): letter - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): letter - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// The number that all of `text` spells; nil if it is not a 64-bit number.
  static func number(_ text: ArraySlice<UInt8>) -> UInt64? {
    guard !text.isEmpty, text.count <= 16 else { return nil }
    var value: UInt64 = 0
    for letter in text {
      guard let digit = digit(letter) else { return nil }
      value = value << 4 | UInt64(digit)
    }
    return value
  }

  /// The bytes that `text` spells in two digits each; nil if it is malformed.
  static func bytes(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    guard text.count.isMultiple(of: 2) else { return nil }
    var result: [UInt8] = []
    result.reserveCapacity(text.count / 2)
    var index = text.startIndex
    while index < text.endIndex {
      guard let high = digit(text[index]), let low = digit(text[index + 1]) else { return nil }
      result.append(high << 4 | low)
      index += 2
    }
    return result
  }

  /// Appends two digits for each of `bytes` to `text`.
  static func append(_ bytes: some Sequence<UInt8>, to text: inout [UInt8]) {
    for byte in bytes {
      text.append(letters[Int(byte >> 4)])
      text.append(letters[Int(byte & 15)])
    }
  }

  /// Two digits for each of `bytes`.
  static func text(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    var text: [UInt8] = []
    append(bytes, to: &text)
    return text
  }

  /// `value` in as few digits as it needs.
  static func text(_ value: UInt64) -> String { String(value, radix: 16) }

  /// The low `count` bytes of `value` in little-endian order, as registers are sent; `x` for each digit of an unknown
  /// one.
  static func register(_ value: UInt64?, bytes count: Int) -> [UInt8] {
    guard let value else { return [UInt8](repeating: UInt8(ascii: "x"), count: 2 * count) }
    return text((0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) })
  }
}
