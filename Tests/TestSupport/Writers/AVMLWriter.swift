/// Writes AVML files of version 2: each block in snappy's framing, and how long that is.
public enum AVMLWriter {
  /// A file of `blocks`, each memory from an address on.
  ///
  /// - Parameter stored: the numbers of the chunks, in all blocks together, that are not packed.
  public static func bytes(_ blocks: [(start: UInt64, contents: [UInt8])], stored: Set<Int> = []) -> [UInt8] {
    var file: [UInt8] = []
    var number = 0
    for block in blocks {
      file += Array("AVML".utf8) + [UInt8](little: UInt32(2)) + [UInt8](little: block.start)
      file += [UInt8](little: block.start + UInt64(block.contents.count) - 1) + .zeros(8)
      var framing: [UInt8] = [0xff, 6, 0, 0] + Array("sNaPpY".utf8)
      for start in stride(from: 0, to: block.contents.count, by: 1 << 16) {
        let part = Array(block.contents[start..<min(start + 1 << 16, block.contents.count)])
        let isStored = stored.contains(number)
        let body = [UInt8](little: checksum(part)) + (isStored ? part : KdumpCodec.snappy.pack(part))
        framing += Array([UInt8](little: UInt32(body.count) << 8 | (isStored ? 1 : 0))) + body
        // Padding, which says nothing.
        if number % 3 == 1 { framing += [0xfe, 5, 0, 0] + .zeros(5) }
        number += 1
      }
      file += framing + [UInt8](little: UInt64(framing.count))
    }
    return file
  }

  /// CRC-32C bit by bit, as the framing masks it.
  private static func checksum(_ bytes: [UInt8]) -> UInt32 {
    // The polynomial of degree 32 with its coefficients from the highest on, bits of each byte from the lowest.
    var rest: UInt32 = 0xffff_ffff
    for byte in bytes {
      for bit in 0..<8 {
        let isOdd = (rest ^ UInt32(byte >> UInt8(bit))) & 1 == 1
        rest >>= 1
        if isOdd { rest ^= 0x82f6_3b78 }
      }
    }
    let crc = rest ^ 0xffff_ffff
    return ((crc >> 15) | (crc << 17)) &+ 0xa282_ead8
  }
}
