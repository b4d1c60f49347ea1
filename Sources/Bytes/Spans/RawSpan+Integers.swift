/// Little-endian integers at any offset of untrusted bytes: nil past the end, never a trap.
///
/// Safety: each offset is checked against the bytes that are there before the one load, and integers take every value.
extension RawSpan {
  /// The integer of type `T` at `offset`, or nil if the bytes end before it does.
  @inlinable @inline(__always)
  package func integer<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type = T.self, at offset: Int
  ) -> T? {
    let size = MemoryLayout<T>.size
    guard offset >= 0, byteCount >= size, offset <= byteCount &- size else { return nil }
    return unsafe T(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
  }

  /// `count` bytes from `offset`, or nil if they are not all there.
  @inlinable
  @_lifetime(copy self)
  package func slice(at offset: Int, count: Int) -> RawSpan? {
    guard offset >= 0, count >= 0, offset <= byteCount, count <= byteCount &- offset else { return nil }
    return extracting(offset..<(offset &+ count))
  }

  /// Whether the bytes at `offset` are those of `text`.
  package func hasBytes(_ text: StaticString, at offset: Int) -> Bool {
    guard let part = slice(at: offset, count: text.utf8CodeUnitCount) else { return false }
    for index in 0..<part.byteCount
    where unsafe part.unsafeLoad(fromByteOffset: index, as: UInt8.self) != text.utf8Start[index] {
      return false
    }
    return true
  }

  /// The bytes up to the first NUL or the end as text, damaged UTF-8 repaired.
  package func cString() -> String {
    unsafe withUnsafeBytes { bytes in
      let end = unsafe bytes.firstIndex(of: 0) ?? bytes.endIndex
      return unsafe String(decoding: bytes[..<end], as: UTF8.self)
    }
  }

  /// Whether every byte is zero.
  package var isZero: Bool {
    func word(_ offset: Int) -> UInt64 { unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self) }
    var index = 0
    while index &+ 64 <= byteCount {
      let near = word(index) | word(index &+ 8) | word(index &+ 16) | word(index &+ 24)
      let far = word(index &+ 32) | word(index &+ 40) | word(index &+ 48) | word(index &+ 56)
      if near | far != 0 { return false }
      index &+= 64
    }
    while index < byteCount {
      if unsafe unsafeLoad(fromByteOffset: index, as: UInt8.self) != 0 { return false }
      index &+= 1
    }
    return true
  }

  /// The bytes as an array.
  package func array() -> [UInt8] {
    unsafe withUnsafeBytes { unsafe Array($0) }
  }

  /// All bytes as text, damaged UTF-8 repaired.
  package func string() -> String {
    unsafe withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
  }
}
