/// What a client gets at once, and what it may send.
enum Limits {
  /// The longest packet, in bytes, either way, before its bytes are escaped. It is told to the client as `PacketSize`.
  static let packetBytes = 0x2_0000
  /// Bytes of memory in one reply: each may take two letters.
  static let memoryBytes = (packetBytes - 16) / 2
  /// The longest text that a command of `monitor` sends back, in bytes.
  static let commandBytes = 64 << 20
  /// Ranges of one address space that are kept.
  static let ranges = 1 << 20
  /// Address spaces whose ranges are kept.
  static let spaces = 16
}
