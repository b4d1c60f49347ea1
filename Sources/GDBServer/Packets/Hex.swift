import Bytes

/// Numbers and bytes in the protocol's hex, which has no prefix.
enum Hex {
  /// The hex digit of the lowest four bits of `value`.
  static func letter(_ value: UInt8) -> UInt8 {
    let value = value & 15
    return value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }

  /// The eight hex digits of four bytes. The first digit is in the lowest byte, as is the first of the four bytes.
  @inline(__always)
  private static func letters(_ bytes: UInt32) -> UInt64 {
    // The value of one digit in each byte.
    var value = UInt64(bytes)
    value = (value | value << 16) & 0x0000_ffff_0000_ffff
    value = (value | value << 8) & 0x00ff_00ff_00ff_00ff
    value = (value >> 4 | value << 8) & 0x0f0f_0f0f_0f0f_0f0f
    // 1 in each byte that is above 9; 'a' is 39 places after '9' + 1.
    let isLetter = (value &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
    return value &+ 0x3030_3030_3030_3030 &+ isLetter &* 39
  }

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
      text.append(letter(byte >> 4))
      text.append(letter(byte))
    }
  }

  /// Two digits for each of `bytes`.
  static func text(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    var text: [UInt8] = []
    append(bytes, to: &text)
    return text
  }

  /// Two digits for each of `bytes`.
  static func text(_ bytes: [UInt8]) -> [UInt8] {
    let source = bytes.rawSpan
    return [UInt8](count: 2 * bytes.count) { target in
      var index = 0
      while let word = source.integer(UInt32.self, at: index) {
        target.storeBytes(of: letters(word).littleEndian, toByteOffset: 2 * index, as: UInt64.self)
        index += 4
      }
      while let byte = source.integer(UInt8.self, at: index) {
        target.storeBytes(of: letter(byte >> 4), toByteOffset: 2 * index, as: UInt8.self)
        target.storeBytes(of: letter(byte), toByteOffset: 2 * index + 1, as: UInt8.self)
        index += 1
      }
      return true
    }
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
