import Bytes

/// The checksum that snappy's framing has of each piece: CRC-32 with Castagnoli's polynomial. (RFC 3720, appendix B.4;
/// snappy, framing_format.txt, 3)
enum CRC32C {
  /// For each byte, and for that byte with as many zeros behind it as the number of the table.
  private static let tables: [[UInt32]] = {
    let first = (0..<256).map { byte in
      (0..<8).reduce(UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 0 ? 0 : 0x82f6_3b78) }
    }
    var tables = [first]
    for number in 1..<8 {
      tables.append(tables[number - 1].map { first[Int($0 & 0xff)] ^ $0 >> 8 })
    }
    return tables
  }()

  /// Of `bytes`.
  static func value(_ bytes: RawSpan) -> UInt32 {
    let (t0, t1, t2, t3) = (tables[0], tables[1], tables[2], tables[3])
    let (t4, t5, t6, t7) = (tables[4], tables[5], tables[6], tables[7])
    var value = UInt32.max
    var index = 0
    while let word = bytes.integer(UInt64.self, at: index) {
      let mixed = word ^ UInt64(value)
      func byte(_ number: UInt64) -> Int { Int(truncatingIfNeeded: mixed >> (8 * number) & 0xff) }
      value =
        t7[byte(0)] ^ t6[byte(1)] ^ t5[byte(2)] ^ t4[byte(3)] ^ t3[byte(4)] ^ t2[byte(5)] ^ t1[byte(6)] ^ t0[byte(7)]
      index += 8
    }
    while let byte = bytes.integer(UInt8.self, at: index) {
      value = t0[Int(UInt8(truncatingIfNeeded: value) ^ byte)] ^ value >> 8
      index += 1
    }
    return ~value
  }

  /// As the framing stores it: turned right by 15 bits, and moved on.
  static func masked(_ bytes: RawSpan) -> UInt32 {
    let value = value(bytes)
    return (value >> 15 | value << 17) &+ 0xa282_ead8
  }
}
