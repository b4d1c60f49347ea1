import Bytes

/// The bytes that a value occupies, plain or a bit field.
struct BitField {
  /// The byte offset in the enclosing object.
  let offset: Int
  let byteCount: Int
  private let shift: Int
  private let width: Int

  /// - Parameters:
  ///   - firstBit: the least significant bit, counted from the start of the enclosing object.
  ///   - bitCount: the width of a bit field; nil for a plain value of `size` bytes, at most 8.
  init(firstBit: Int, bitCount: Int?, size: Int) {
    offset = firstBit / 8
    shift = bitCount == nil ? 0 : firstBit % 8
    width = min(64, bitCount ?? size * 8)
    byteCount = (shift + width + 7) / 8
  }

  /// The value in `bytes`, extended to 64 bits.
  func value(_ bytes: ArraySlice<UInt8>, isSigned: Bool) -> UInt64 {
    var low: UInt64 = 0
    var high: UInt64 = 0
    for (index, byte) in bytes.prefix(byteCount).enumerated() {
      if index < 8 { low |= UInt64(byte) << UInt64(8 * index) } else { high = UInt64(byte) }
    }
    var value = low >> UInt64(shift)
    if shift > 0 { value |= high << UInt64(64 - shift) }
    guard width < 64, width > 0 else { return width == 0 ? 0 : value }
    let unused = UInt64(64 - width)
    return isSigned
      ? UInt64(bitPattern: Int64(bitPattern: value << unused) >> Int64(unused)) : (value << unused) >> unused
  }
}
