import KernelVA

/// The output of a command, kept in memory.
final class CollectedOutput {
  /// All of it, or its beginning if it is longer than the limit.
  private(set) var bytes: [UInt8] = []

  private let limit: Int

  /// Keeps at most `limit` bytes.
  init(limit: Int = Limits.collectedBytes) { self.limit = limit }

  /// Whether there is no room for more.
  var isFull: Bool { bytes.count >= limit }

  /// Adds `more`, as far as there is room.
  func append(_ more: RawSpan) {
    for index in 0..<min(more.byteCount, limit - bytes.count) {
      if let byte = more.integer(UInt8.self, at: index) { bytes.append(byte) }
    }
  }
}
