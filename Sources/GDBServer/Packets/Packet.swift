import Bytes

/// A packet to the client.
enum Packet {
  /// `payload` between `$` and `#`, with its checksum.
  static func framed(_ payload: [UInt8]) -> [UInt8] {
    var packet: [UInt8] = []
    packet.reserveCapacity(payload.count + 4)
    packet.append(UInt8(ascii: "$"))
    packet += payload
    packet.append(UInt8(ascii: "#"))
    Hex.append([payload.reduce(0, &+)], to: &packet)
    return packet
  }

  private static let escape = UInt8(ascii: "}")

  private static func isReserved(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "#") || byte == UInt8(ascii: "$") || byte == escape || byte == UInt8(ascii: "*")
  }

  /// Whether any of the eight bytes of `word` may be reserved. There are false positives, but no false negatives.
  @inline(__always)
  private static func mayHaveReserved(_ word: UInt64) -> Bool {
    // A byte of `difference` is zero if the word has that letter there; its top bit is then set in the result.
    func has(_ letter: Unicode.Scalar) -> UInt64 {
      let ones: UInt64 = 0x0101_0101_0101_0101
      let difference = word ^ (ones &* UInt64(UInt8(ascii: letter)))
      return (difference &- ones) & ~difference & (ones &* 0x80)
    }
    return has("#") | has("$") | has("}") | has("*") != 0
  }

  /// `bytes` with those that would end or alter a packet escaped: sent as `}` and the byte with bit 5 inverted. (GDB
  /// manual, "Binary Data")
  static func escaped(_ bytes: [UInt8], behind prefix: UInt8? = nil) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + bytes.count / 32 + 1)
    if let prefix { result.append(prefix) }
    let span = bytes.rawSpan
    // Runs that need no escape are copied at once.
    var start = 0
    var index = 0
    while index < bytes.count {
      if let word = span.integer(UInt64.self, at: index), !mayHaveReserved(word) {
        index += 8
        continue
      }
      let end = min(index + 8, bytes.count)
      while index < end {
        if isReserved(bytes[index]) {
          result += bytes[start..<index]
          result.append(escape)
          result.append(bytes[index] ^ 0x20)
          start = index + 1
        }
        index += 1
      }
    }
    result += bytes[start...]
    return result
  }
}
