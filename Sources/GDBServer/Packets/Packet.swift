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

  /// `bytes` with those escaped that would end or alter a packet: sent as `}` and the byte with bit 5 inverted.
  /// (GDB manual, "Binary Data")
  static func escaped(_ bytes: some Collection<UInt8>, behind prefix: UInt8? = nil) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + bytes.count / 32 + 1)
    if let prefix { result.append(prefix) }
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "}"), UInt8(ascii: "*"):
        result.append(UInt8(ascii: "}"))
        result.append(byte ^ 0x20)
      default: result.append(byte)
      }
    }
    return result
  }
}
