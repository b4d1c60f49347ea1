/// The memory of a byte array as raw spans.
///
/// Safety: a byte has no padding and takes every value, so that its memory may be read and written as raw bytes; the
/// spans cannot outlive the array, and while a mutable span exists the array is reachable only through it. Memory not
/// yet written is seen only by the closure that fills it, and dropped if that fails.
extension [UInt8] {
  /// The bytes.
  @inlinable
  package var rawSpan: RawSpan {
    @_lifetime(borrow self)
    @inline(__always)
    get { unsafe _overrideLifetime(span.bytes, borrowing: self) }
  }

  /// Gives `body` the bytes as a mutable span.
  @inlinable
  package mutating func withMutableRawSpan<R, E: Error>(_ body: (inout MutableRawSpan) throws(E) -> R) throws(E) -> R {
    var span = mutableSpan
    var raw = unsafe span.mutableBytes
    return try body(&raw)
  }

  /// `count` bytes as `fill` writes them; empty if it returns false.
  ///
  /// The system allocates memory page by page as it is written: a length that a file claims costs nothing until the
  /// bytes are there.
  package init(count: Int, filledBy fill: (inout MutableRawSpan) -> Bool) {
    unsafe self.init(unsafeUninitializedCapacity: count) { storage, written in
      var target = unsafe MutableRawSpan(
        _unsafeBytes: UnsafeMutableRawBufferPointer(start: storage.baseAddress, count: count))
      written = fill(&target) ? count : 0
    }
  }

  /// The little-endian 32-bit word at `offset`; 0 past the end.
  @inlinable @inline(__always)
  package func word32(_ offset: Int) -> UInt32 { rawSpan.integer(at: offset) ?? 0 }
}

extension Span<UInt8> {
  /// The bytes.
  @inlinable
  package var rawSpan: RawSpan {
    @_lifetime(copy self)
    @inline(__always)
    get { unsafe bytes }
  }
}
