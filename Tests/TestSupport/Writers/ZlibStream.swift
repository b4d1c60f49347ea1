import CZlib

/// Packs bytes to one zlib stream.
public enum ZlibStream {
  /// `bytes` with a window of 2^`windowBits` bytes, and the memory that LiME gives deflate.
  public static func packed(_ bytes: [UInt8], windowBits: Int32 = 11) -> [UInt8] {
    var stream = z_stream()
    let size = Int32(MemoryLayout<z_stream>.size)
    precondition(
      deflateInit2_(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, windowBits, 5, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
        == Z_OK)
    var input = bytes
    var output = [UInt8](repeating: 0, count: bytes.count * 2 + 1024)
    let room = output.count
    let left = input.withUnsafeMutableBufferPointer { from in
      output.withUnsafeMutableBufferPointer { to in
        stream.next_in = from.baseAddress
        stream.avail_in = UInt32(from.count)
        stream.next_out = to.baseAddress
        stream.avail_out = UInt32(to.count)
        precondition(deflate(&stream, Z_FINISH) == Z_STREAM_END)
        return Int(stream.avail_out)
      }
    }
    deflateEnd(&stream)
    return Array(output[..<(room - left)])
  }
}
