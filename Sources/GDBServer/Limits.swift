/// Limits on requests and replies.
enum Limits {
  /// The longest packet in either direction, in bytes before escaping. The client learns it as `PacketSize`.
  static let packetBytes = 0x2_0000
  /// Bytes of memory in one reply: each takes two hex digits.
  static let memoryBytes = (packetBytes - 16) / 2
  /// The longest output of a `monitor` command, in bytes.
  static let commandBytes = 64 << 20
  /// Ranges kept for one address space.
  static let ranges = 1 << 20
  /// Address spaces kept.
  static let spaces = 16
}
