/// Writing into borrowed bytes.
///
/// Safety: both ends are checked against the bytes that are there before a byte is written; two spans, one of them
/// mutable, cannot overlap.
extension MutableRawSpan {
  /// Copies all of `source` to `position`; false, with nothing written, if it does not fit.
  @_lifetime(self: copy self)
  package mutating func copy(_ source: RawSpan, at position: Int = 0) -> Bool {
    guard position >= 0, position <= byteCount, source.byteCount <= byteCount &- position else { return false }
    unsafe source.withUnsafeBytes { from in
      unsafe withUnsafeMutableBytes { target in
        guard let from = from.baseAddress, let to = target.baseAddress else { return }
        unsafe (to + position).copyMemory(from: from, byteCount: source.byteCount)
      }
    }
    return true
  }

  /// Sets `count` bytes from `position` on to 0; false, with nothing written, if they are not all there.
  @_lifetime(self: copy self)
  package mutating func clear(at position: Int, count: Int) -> Bool {
    guard position >= 0, count >= 0, position <= byteCount, count <= byteCount &- position else { return false }
    unsafe withUnsafeMutableBytes { target in
      guard let to = target.baseAddress else { return }
      unsafe (to + position).initializeMemory(as: UInt8.self, repeating: 0, count: count)
    }
    return true
  }
}
