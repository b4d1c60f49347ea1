import KernelVA

/// The output of a command, kept in memory.
final class CollectedOutput {
  /// All of it, or its beginning if it is longer than `Limits.collectedBytes`.
  private(set) var bytes: [UInt8] = []

  /// Whether there is room for more.
  var isFull: Bool { bytes.count >= Limits.collectedBytes }

  /// Adds `more`, as far as there is room.
  func append(_ more: RawSpan) {
    for index in 0..<min(more.byteCount, Limits.collectedBytes - bytes.count) {
      if let byte = more.integer(UInt8.self, at: index) { bytes.append(byte) }
    }
  }
}
