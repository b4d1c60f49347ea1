import Bytes

/// Memory as packets carry it: the bytes that would end or alter a packet are sent as `}` and the byte with bit 5
/// inverted. (GDB manual, "Binary Data")
///
/// Safety: the target has room for twice the bytes before the first is read, and no byte takes more than two; sixteen
/// are read only where sixteen are left. A comparison of sixteen bytes is as large as two words, in which every value
/// is valid.
enum BinaryData {
  private static let escape = UInt8(ascii: "}")

  /// Whether `byte` would end or alter a packet.
  static func isReserved(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "#") || byte == UInt8(ascii: "$") || byte == escape || byte == UInt8(ascii: "*")
  }

  /// Whether one of `bytes` is reserved.
  @inline(__always)
  private static func hasReserved(_ bytes: SIMD16<UInt8>) -> Bool {
    func places(_ letter: Unicode.Scalar) -> SIMDMask<SIMD16<Int8>> {
      bytes .== SIMD16(repeating: UInt8(ascii: letter))
    }
    let found = unsafe unsafeBitCast(
      places("#") .| places("$") .| places("}") .| places("*"), to: SIMD2<UInt64>.self)
    return found[0] | found[1] != 0
  }

  /// Writes `bytes`, escaped, to `target` from `position` on.
  ///
  /// - Returns: the end position, and the sum of the bytes written; nil, with nothing written, if `target` has no room
  ///   for twice the bytes.
  static func write(
    _ bytes: RawSpan, to target: inout MutableRawSpan, at position: Int
  ) -> (end: Int, sum: UInt8)? {
    guard position >= 0, position <= target.byteCount, bytes.byteCount <= (target.byteCount - position) / 2 else {
      return nil
    }
    // Lane by lane, modulo 256 as the checksum is.
    var sums = SIMD16<UInt8>(repeating: 0)
    var sum: UInt8 = 0
    var end = position
    unsafe target.withUnsafeMutableBytes { target in
      unsafe bytes.withUnsafeBytes { bytes in
        var index = 0
        while index < bytes.count {
          if index &+ 16 <= bytes.count {
            let many = unsafe bytes.loadUnaligned(fromByteOffset: index, as: SIMD16<UInt8>.self)
            if !hasReserved(many) {
              unsafe target.storeBytes(of: many, toByteOffset: end, as: SIMD16<UInt8>.self)
              sums &+= many
              index &+= 16
              end &+= 16
              continue
            }
          }
          let next = min(index &+ 16, bytes.count)
          while index < next {
            var byte = unsafe bytes[index]
            if isReserved(byte) {
              unsafe target[end] = escape
              end &+= 1
              sum &+= escape
              byte ^= 0x20
            }
            unsafe target[end] = byte
            end &+= 1
            sum &+= byte
            index &+= 1
          }
        }
      }
    }
    return (end, sum &+ sums.wrappedSum())
  }

  /// `bytes`, escaped.
  static func escaped(_ bytes: [UInt8]) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: 2 * bytes.count)
    let end = result.withMutableRawSpan { write(bytes.rawSpan, to: &$0, at: 0)?.end ?? 0 }
    result.removeLast(result.count - end)
    return result
  }
}
