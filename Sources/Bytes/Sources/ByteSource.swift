/// Random access to named bytes from outside: a mapped file, a file read piece by piece, or a file inside another. Any
/// number of threads may read at once.
package protocol ByteSource: Sendable {
  /// The file's path, for messages.
  var path: String { get }
  /// How many bytes there are.
  var byteCount: UInt64 { get }
  /// The little-endian 64-bit word at `offset`, of any alignment; nil if it is not all there.
  func word(at offset: UInt64) -> UInt64?
  /// Copies `count` bytes from `offset` to `position` of `buffer`; false, with `buffer` in any state, if they are not
  /// all there.
  func copy(_ offset: UInt64, count: Int, into buffer: inout MutableRawSpan, at position: Int) -> Bool
  /// Shows `body` the bytes of `range`; nil if they are not all there.
  func withBytes<R>(_ range: Range<UInt64>, _ body: (RawSpan) -> R) -> R?
  /// A copy of the bytes of `range`, which is no longer than `limit`; nil if they are not all there.
  func bytes(_ range: Range<UInt64>, limit: Int) -> [UInt8]?
  /// `offset..<offset + count`, or nil if not all bytes of it are there.
  func range(at offset: UInt64, count: UInt64) -> Range<UInt64>?
  /// Hints that `range` will not be needed soon, so that its memory can be reclaimed.
  func forget(_ range: Range<UInt64>)
  /// The parts of `range` that were written, in order; the rest are holes, which read as zeros.
  func written(_ range: Range<UInt64>) -> [Range<UInt64>]
}

extension ByteSource {
  /// Does nothing.
  package func forget(_ range: Range<UInt64>) {}

  /// All of `range`.
  package func written(_ range: Range<UInt64>) -> [Range<UInt64>] { [range] }

  /// The little-endian integer at `offset`, or nil past the end.
  package func integer<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type = T.self, at offset: UInt64) -> T? {
    let (end, overflow) = offset.addingReportingOverflow(UInt64(MemoryLayout<T>.size))
    guard !overflow else { return nil }
    return withBytes(offset..<end) { $0.integer(T.self, at: 0) } ?? nil
  }

  /// Copies what `withBytes` shows.
  package func bytes(_ range: Range<UInt64>, limit: Int) -> [UInt8]? {
    guard range.upperBound - range.lowerBound <= UInt64(limit) else { return nil }
    let count = Int(range.upperBound - range.lowerBound)
    var isWhole = false
    guard count > 0 else { return range.lowerBound <= byteCount ? [] : nil }
    let bytes = [UInt8](count: count) { target in
      isWhole = copy(range.lowerBound, count: count, into: &target, at: 0)
      return isWhole
    }
    return isWhole ? bytes : nil
  }

  /// `count` bytes from `offset` on, 64 MiB at most; nil if they are not all there.
  package func bytes(at offset: UInt64, count: Int) -> [UInt8]? {
    guard count >= 0, offset <= .max - UInt64(count) else { return nil }
    return bytes(offset..<(offset + UInt64(count)), limit: Limits.readAtOnce)
  }

  /// Shows `body` a copy of the bytes of `range`, 64 MiB at most; nil if they are not all there.
  package func withCopy<R>(of range: Range<UInt64>, _ body: (RawSpan) -> R) -> R? {
    bytes(range, limit: Limits.readAtOnce).map { bytes in body(bytes.rawSpan) }
  }

  /// Whether all bytes of `range` are there and zero.
  package func isZero(_ range: Range<UInt64>) -> Bool {
    var start = range.lowerBound
    while start < range.upperBound {
      let end = min(range.upperBound, start + 65536)
      let isZero = withBytes(start..<end) { bytes in
        (0..<bytes.byteCount).allSatisfy { bytes.integer(UInt8.self, at: $0) == 0 }
      }
      guard isZero == true else { return false }
      start = end
    }
    return true
  }

  /// `offset..<offset + count`, or nil if that passes the end of the bytes.
  package func range(at offset: UInt64, count: UInt64) -> Range<UInt64>? {
    let (end, overflow) = offset.addingReportingOverflow(count)
    return overflow || end > byteCount ? nil : offset..<end
  }
}
