/// Parses a client's bytes: `$payload#checksum`, and the single bytes between packets. (GDB manual, "Remote Protocol:
/// Overview")
struct PacketReader {
  /// Something that the client sent.
  enum Event: Equatable {
    /// A packet, with its payload.
    case packet([UInt8])
    /// A packet whose checksum is wrong or that is too long.
    case damaged
    /// `-`: the last reply did not arrive.
    case resend
    /// Ctrl-C.
    case interrupt
  }

  private var buffer: [UInt8] = []
  private var start = 0
  /// Whether checksums are compared: not after `QStartNoAckMode`.
  var comparesChecksums = true

  /// Lets `fill` append bytes to the unread ones.
  mutating func receive(_ fill: (inout [UInt8]) -> Bool) -> Bool {
    buffer.removeFirst(start)
    start = 0
    return fill(&buffer)
  }

  /// The next complete event; nil if more bytes are needed.
  mutating func next() -> Event? {
    while start < buffer.count {
      switch buffer[start] {
      case UInt8(ascii: "$"): return packet()
      case UInt8(ascii: "-"):
        start += 1
        return .resend
      case 3:
        start += 1
        return .interrupt
      default: start += 1
      }
    }
    return nil
  }

  private mutating func packet() -> Event? {
    let first = start + 1
    guard let end = buffer[first...].firstIndex(of: UInt8(ascii: "#")) else {
      guard buffer.count - first > 2 * Limits.packetBytes else { return nil }
      start = buffer.count
      return .damaged
    }
    guard buffer.count >= end + 3 else { return nil }
    defer { start = end + 3 }
    let payload = buffer[first..<end]
    guard payload.count <= 2 * Limits.packetBytes else { return .damaged }
    if comparesChecksums {
      guard let high = Hex.digit(buffer[end + 1]), let low = Hex.digit(buffer[end + 2]),
        high << 4 | low == payload.reduce(0, &+)
      else { return .damaged }
    }
    return .packet(Array(payload))
  }
}
