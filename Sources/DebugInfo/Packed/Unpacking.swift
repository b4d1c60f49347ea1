import Bytes
import CZlib
import CZstd

/// The compression method of a section: ch_type of its header. (gABI, `Elf64_Chdr`)
///
/// Safety: zlib and zstd read the input and write the output within the lengths that they are given with each pointer,
/// whatever the input, and the pointers are valid for the one call. Their states are made and freed by the function
/// that uses them; zlib's, which points back to its stream, lies in memory that does not move.
enum Unpacking: UInt32 {
  /// ELFCOMPRESS_ZLIB.
  case zlib = 1
  /// ELFCOMPRESS_ZSTD.
  case zstd = 2

  /// Bytes uncompressed at once.
  private static let pieceBytes = 256 << 10

  /// Shows `body` the uncompressed `input`, piece by piece, until it returns false.
  ///
  /// - Returns: false if it did, or if the input is damaged or truncated.
  func unpack(_ input: RawSpan, _ body: (RawSpan) -> Bool) -> Bool {
    switch self {
    case .zlib: Self.inflate(input, body)
    case .zstd: Self.decompress(input, body)
    }
  }

  private static func inflate(_ input: RawSpan, _ body: (RawSpan) -> Bool) -> Bool {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    defer { unsafe stream.deallocate() }
    guard unsafe inflateInit_(stream, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return false }
    defer { unsafe inflateEnd(stream) }
    return unsafe forEachPiece(of: input, body) { source, target in
      unsafe stream.pointee.next_in = UnsafeMutablePointer(
        mutating: source.baseAddress?.assumingMemoryBound(to: UInt8.self))
      unsafe stream.pointee.avail_in = UInt32(source.count)
      unsafe stream.pointee.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
      unsafe stream.pointee.avail_out = UInt32(target.count)
      let status = unsafe CZlib.inflate(stream, Z_NO_FLUSH)
      guard status == Z_OK || status == Z_STREAM_END else { return nil }
      let taken = unsafe source.count - Int(stream.pointee.avail_in)
      let made = unsafe target.count - Int(stream.pointee.avail_out)
      // Linkers may concatenate several streams.
      if status == Z_STREAM_END, unsafe inflateReset(stream) != Z_OK { return nil }
      return Step(taken: taken, made: made, isEnd: status == Z_STREAM_END)
    }
  }

  private static func decompress(_ input: RawSpan, _ body: (RawSpan) -> Bool) -> Bool {
    guard let stream = unsafe ZSTD_createDStream() else { return false }
    defer { unsafe ZSTD_freeDStream(stream) }
    return unsafe forEachPiece(of: input, body) { source, target in
      var from = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
      var to = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
      let left = unsafe ZSTD_decompressStream(stream, &to, &from)
      return unsafe ZSTD_isError(left) != 0 ? nil : Step(taken: from.pos, made: to.pos, isEnd: left == 0)
    }
  }

  /// The result of one library call.
  private struct Step {
    var taken: Int
    var made: Int
    var isEnd: Bool
  }

  /// Calls `step` repeatedly with input and room for output, and shows `body` what it produces.
  private static func forEachPiece(
    of input: RawSpan, _ body: (RawSpan) -> Bool,
    _ step: (UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) -> Step?
  ) -> Bool {
    var room = [UInt8](repeating: 0, count: pieceBytes)
    var position = 0
    while true {
      let part = input.extracting(position..<min(input.byteCount, position + pieceBytes))
      let done = unsafe part.withUnsafeBytes { source in
        unsafe room.withUnsafeMutableBytes { target in unsafe step(source, target) }
      }
      guard let done, done.made == 0 || body(room.rawSpan.extracting(0..<done.made)) else { return false }
      position += done.taken
      if done.isEnd, position == input.byteCount { return true }
      guard done.taken > 0 || done.made > 0 else { return false }
    }
  }
}
