import Bytes
import CLzo2
import CSnappy
import CZlib
import CZstd

/// How the pages of an output file are compressed.
package enum PageCompression: String, CaseIterable, Sendable {
  case zlib, lzo, snappy, zstd

  /// The flag of a page, and of the file.
  var codec: PageCodec {
    switch self {
    case .zlib: .zlib
    case .lzo: .lzo
    case .snappy: .snappy
    case .zstd: .zstd
    }
  }
}

/// Compressor state, reused from page to page: one per worker thread. The levels are makedumpfile's: the fastest.
///
/// Safety: each codec gets the input's true size, and the output has room for its worst case, which LZO and snappy do
/// not check. The state is allocated here, used by one thread at a time, and freed with this object.
@safe
final class CompressionContext {
  private let method: PageCompression
  /// zlib's state points back to its stream, which must therefore not move.
  private var zlib: UnsafeMutablePointer<z_stream>?
  private var zstd: OpaquePointer?
  private var lzo: UnsafeMutableRawPointer?

  /// LZO1X_1_MEM_COMPRESS: 16,384 pointers.
  private static let lzoBytes = 16384 * MemoryLayout<UInt>.size

  init(_ method: PageCompression) { self.method = method }

  deinit {
    if let zlib = unsafe zlib {
      unsafe deflateEnd(zlib)
      unsafe zlib.deallocate()
    }
    if let zstd = unsafe zstd { unsafe ZSTD_freeCCtx(zstd) }
    if let lzo = unsafe lzo { unsafe lzo.deallocate() }
  }

  /// The most bytes that any codec makes of `count`: snappy's bound, 32 + n + n / 6, is the largest.
  static func bound(_ count: Int) -> Int { 64 + count + count / 6 }

  /// Compresses `page` to the beginning of `target`.
  ///
  /// - Returns: how many bytes it made; nil if the page did not shrink, or there is no room for `bound`.
  @_lifetime(target: copy target)
  func compress(_ page: RawSpan, into target: inout MutableRawSpan) -> Int? {
    let room = target.byteCount
    guard room >= Self.bound(page.byteCount) else { return nil }
    let made = unsafe page.withUnsafeBytes { source -> Int? in
      unsafe target.withUnsafeMutableBytes { target in
        guard let from = source.baseAddress, let to = target.baseAddress else { return nil }
        switch method {
        case .zlib: return unsafe deflate(from, source.count, to, room)
        case .lzo:
          let work = unsafe lzo ?? .allocate(byteCount: Self.lzoBytes, alignment: 16)
          unsafe lzo = work
          var made = lzo_uint(room)
          let status = unsafe lzo1x_1_compress(
            from.assumingMemoryBound(to: UInt8.self), lzo_uint(source.count), to.assumingMemoryBound(to: UInt8.self),
            &made, work)
          return status == LZO_E_OK ? Int(made) : nil
        case .snappy:
          var made = room
          let status = unsafe snappy_compress(
            from.assumingMemoryBound(to: CChar.self), source.count, to.assumingMemoryBound(to: CChar.self), &made)
          return status == SNAPPY_OK ? made : nil
        case .zstd:
          let context = unsafe zstd ?? ZSTD_createCCtx()
          unsafe zstd = context
          let made = unsafe ZSTD_compressCCtx(context, to, room, from, source.count, 1)
          return ZSTD_isError(made) == 0 ? made : nil
        }
      }
    }
    guard let made, made < page.byteCount else { return nil }
    return made
  }

  private func deflate(
    _ from: UnsafeRawPointer, _ count: Int, _ to: UnsafeMutableRawPointer, _ room: Int
  ) -> Int? {
    guard let stream = unsafe readyStream(), let available = UInt32(exactly: count) else { return nil }
    unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: from.assumingMemoryBound(to: UInt8.self))
    unsafe stream.pointee.avail_in = available
    unsafe stream.pointee.next_out = to.assumingMemoryBound(to: UInt8.self)
    unsafe stream.pointee.avail_out = UInt32(clamping: room)
    guard unsafe CZlib.deflate(stream, Z_FINISH) == Z_STREAM_END else { return nil }
    return unsafe Int(stream.pointee.total_out)
  }

  private func readyStream() -> UnsafeMutablePointer<z_stream>? {
    if let stream = unsafe zlib { return unsafe deflateReset(stream) == Z_OK ? stream : nil }
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    let status = unsafe deflateInit_(stream, Z_BEST_SPEED, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else {
      unsafe stream.deallocate()
      return nil
    }
    unsafe zlib = stream
    return unsafe stream
  }
}
