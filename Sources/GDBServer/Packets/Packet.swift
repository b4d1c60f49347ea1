import Bytes

/// A reply to a client.
enum Reply {
  /// A payload without reserved letters.
  case text([UInt8])
  /// A letter, then any bytes, which are escaped.
  case binary(UInt8, [UInt8])
}

/// A packet to the client: `$`, the payload, `#` and its checksum. Its memory is reused.
struct Packet {
  private var storage: [UInt8] = []
  private var end = 0

  /// The packet; empty before the first.
  var bytes: RawSpan {
    @_lifetime(borrow self)
    get { storage.rawSpan.extracting(0..<end) }
  }

  /// A packet of `payload`, which has no reserved letters.
  init(_ payload: [UInt8]) { put(.text(payload)) }

  /// No packet.
  init() {}

  /// Replaces the packet by `reply`.
  mutating func put(_ reply: Reply) {
    let (payload, room) =
      switch reply {
      case .text(let payload): (payload, payload.count)
      case .binary(_, let payload): (payload, 2 * payload.count + 1)
      }
    // `$` before it, `#` and two digits behind it.
    let size = room + 4
    if storage.count < size { storage = [UInt8](repeating: 0, count: size) }
    storage[0] = UInt8(ascii: "$")
    end = 1
    var sum: UInt8 = 0
    if case .binary(let letter, _) = reply {
      storage[1] = letter
      end = 2
      sum = letter
    }
    let start = end
    (end, sum) = storage.withMutableRawSpan { target in
      if case .binary = reply, let written = BinaryData.write(payload.rawSpan, to: &target, at: start) {
        return (written.end, sum &+ written.sum)
      }
      _ = target.copy(payload.rawSpan, at: start)
      return (start + payload.count, sum &+ payload.reduce(0, &+))
    }
    storage[end] = UInt8(ascii: "#")
    storage[end + 1] = Hex.letter(sum >> 4)
    storage[end + 2] = Hex.letter(sum & 15)
    end += 3
  }
}
