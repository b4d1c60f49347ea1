extension [UInt8] {
  /// The little-endian 32-bit word at `offset`; 0 past the end.
  @inlinable @inline(__always)
  public func word32(_ offset: Int) -> UInt32 {
    unsafe withUnsafeBytes { bytes in
      guard offset >= 0, offset <= bytes.count - 4 else { return 0 }
      return unsafe UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
  }
}
