import CLzo2
import CSnappy
import CZlib
import CZstd

/// Decompressor state, reused from page to page: one per worker thread.
///
/// Safety: each codec gets the true sizes of input and output, and keeps to both whatever the bytes are (LZO's is the
/// checking variant). The state is allocated here, used by one thread at a time, and freed with this object.
@safe
final class DecompressionContext {
  /// zlib's state points back to its stream, which must therefore not move.
  private var zlib: UnsafeMutablePointer<z_stream>?
  private var zstd: OpaquePointer?

  deinit {
    if let zlib = unsafe zlib {
      unsafe inflateEnd(zlib)
      unsafe zlib.deallocate()
    }
    if let zstd = unsafe zstd { unsafe ZSTD_freeDCtx(zstd) }
  }

  /// Decompresses `input` into all of `page`.
  ///
  /// - Returns: false if the input is damaged or does not decompress to exactly one page.
  @_lifetime(page: copy page)
  func decompress(_ input: RawSpan, _ codec: PageCodec, into page: inout MutableRawSpan) -> Bool {
    let size = page.byteCount
    return unsafe input.withUnsafeBytes { source in
      unsafe page.withUnsafeMutableBytes { target in
        guard let from = source.baseAddress, let to = target.baseAddress else { return false }
        switch codec {
        case []:
          guard source.count == size else { return false }
          unsafe to.copyMemory(from: from, byteCount: size)
          return true
        case .zlib: return unsafe inflate(from, source.count, to, size)
        case .lzo:
          var made = lzo_uint(size)
          let status = unsafe lzo1x_decompress_safe(
            from.assumingMemoryBound(to: UInt8.self), lzo_uint(source.count),
            to.assumingMemoryBound(to: UInt8.self), &made, nil)
          return status == LZO_E_OK && made == size
        case .snappy:
          let text = unsafe from.assumingMemoryBound(to: CChar.self)
          var made = 0
          guard unsafe snappy_uncompressed_length(text, source.count, &made) == SNAPPY_OK, made == size else {
            return false
          }
          return unsafe snappy_uncompress(text, source.count, to.assumingMemoryBound(to: CChar.self), &made)
            == SNAPPY_OK
        case .zstd:
          let context = unsafe zstd ?? ZSTD_createDCtx()
          unsafe zstd = context
          return unsafe ZSTD_decompressDCtx(context, to, size, from, source.count) == size
        default: return false
        }
      }
    }
  }

  private func inflate(
    _ from: UnsafeRawPointer, _ count: Int, _ to: UnsafeMutableRawPointer, _ size: Int
  ) -> Bool {
    guard let stream = unsafe readyStream(), let available = UInt32(exactly: count) else { return false }
    unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: from.assumingMemoryBound(to: UInt8.self))
    unsafe stream.pointee.avail_in = available
    unsafe stream.pointee.next_out = to.assumingMemoryBound(to: UInt8.self)
    unsafe stream.pointee.avail_out = UInt32(size)
    return unsafe CZlib.inflate(stream, Z_FINISH) == Z_STREAM_END && stream.pointee.avail_out == 0
  }

  private func readyStream() -> UnsafeMutablePointer<z_stream>? {
    if let stream = unsafe zlib { return unsafe inflateReset(stream) == Z_OK ? stream : nil }
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    guard unsafe inflateInit_(stream, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      unsafe stream.deallocate()
      return nil
    }
    unsafe zlib = stream
    return unsafe stream
  }
}
