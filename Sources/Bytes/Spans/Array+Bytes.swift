/// The memory of an array of bytes, as what reads and writes raw memory takes it.
///
/// Safety: a byte has no padding and takes every value, so that its memory may be read and written as raw bytes; the
/// spans cannot outlive the array, nor can it be touched but through the one that writes. Memory that was not yet
/// written is seen by who fills it alone, and given up where that fails.
extension [UInt8] {
  /// The bytes.
  @inlinable
  package var rawSpan: RawSpan {
    @_lifetime(borrow self)
    @inline(__always)
    get { unsafe _overrideLifetime(span.bytes, borrowing: self) }
  }

  /// Gives `body` the bytes to write them.
  @inlinable
  package mutating func withMutableRawSpan<R, E: Error>(_ body: (inout MutableRawSpan) throws(E) -> R) throws(E) -> R {
    var span = mutableSpan
    var raw = unsafe span.mutableBytes
    return try body(&raw)
  }

  /// `count` bytes as `fill` writes them; none if it says that it did not.
  ///
  /// The system gives memory page by page as it is written: a length that a file claims costs nothing until the bytes
  /// are there.
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
