/// Hexadecimal as kva writes and reads it: lowercase digits, no leading zeros.
package enum Hex {
  /// The value of an ASCII hex digit, in either case; nil for any other byte.
  @inlinable
  package static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// The number that `text` spells with 1 to 64 bits' worth of hex digits and nothing else: no sign, which `UInt64`
  /// would accept, and no prefix.
  package static func number(_ text: Substring) -> UInt64? {
    var value: UInt64?
    for byte in text.utf8 {
      guard let digit = digit(byte), value ?? 0 < 1 << 60 else { return nil }
      value = (value ?? 0) << 4 | UInt64(digit)
    }
    return value
  }

  /// Two digits for each byte, as build IDs are written.
  package static func string(_ bytes: RawSpan) -> String {
    var text = ""
    for index in 0..<bytes.byteCount {
      let byte = bytes.integer(UInt8.self, at: index) ?? 0
      text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    return text
  }
}

/// `value` in hex digits after `0x`, as messages write addresses.
package func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
