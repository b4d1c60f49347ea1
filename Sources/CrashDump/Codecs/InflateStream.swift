import CZlib

/// A place in a deflate stream from which it can be read on: the beginning of a block.
struct InflatePoint: Sendable {
  /// How many bits of `byte`, its highest, belong to what follows.
  var bits: Int
  /// The byte before.
  var byte: UInt8
  /// What was unpacked before, as far back as the stream may refer to.
  var window: [UInt8]
}

/// A zlib stream, or a part of one, that is unpacked.
///
/// Safety: zlib is told how many bytes there are to read and how many there is room for, and keeps to both whatever the
/// bytes are. Its state points back at the stream, which therefore lies in memory that does not move, is used by one
/// thread at a time, and is freed with this. A window has 32 KiB at most, for which there is room.
@safe
final class InflateStream {
  private let stream: UnsafeMutablePointer<z_stream>
  private var isReady = false

  private static let windowBytes = 1 << 15

  init() {
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
  }

  deinit {
    if isReady { unsafe inflateEnd(stream) }
    unsafe stream.deallocate()
  }

  /// Begins anew; false where there is no memory.
  ///
  /// - Parameter isRaw: whether there is no header of zlib.
  func begin(isRaw: Bool = false) -> Bool {
    // 0: the window that the header says.
    let bits: Int32 = isRaw ? -15 : 0
    if isReady { return unsafe inflateReset2(stream, bits) == Z_OK }
    isReady = unsafe inflateInit2_(stream, bits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    return isReady
  }

  /// Unpacks what it can of `input` to `target`.
  ///
  /// - Parameter stopsAtBlocks: whether it stops where a block begins.
  /// - Returns: the bytes that were used and made; whether nothing can follow; and where a block begins, how many bits of
  ///   the last byte are not used yet.
  func next(
    _ input: RawSpan, into target: inout MutableRawSpan, stopsAtBlocks: Bool
  ) -> (used: Int, made: Int, isOver: Bool, blockBits: Int?) {
    unsafe input.withUnsafeBytes { source in
      unsafe target.withUnsafeMutableBytes { target in
        let (count, room) = (UInt32(clamping: source.count), UInt32(clamping: target.count))
        unsafe stream.pointee.next_in = UnsafeMutablePointer(
          mutating: source.baseAddress?.assumingMemoryBound(to: UInt8.self))
        unsafe stream.pointee.avail_in = count
        unsafe stream.pointee.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_out = room
        let status = unsafe CZlib.inflate(stream, stopsAtBlocks ? Z_BLOCK : Z_NO_FLUSH)
        let used = unsafe Int(count - stream.pointee.avail_in)
        let made = unsafe Int(room - stream.pointee.avail_out)
        // Bit 7: behind a block, or a header; bit 6: in the last block. (zlib.h, `inflate`)
        let state = unsafe Int(stream.pointee.data_type)
        let isBlock = status == Z_OK && state & 0xc0 == 0x80
        return (used, made, status != Z_OK && status != Z_BUF_ERROR, isBlock ? state & 7 : nil)
      }
    }
  }

  /// What was unpacked last, as far back as the stream may refer to.
  var window: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Self.windowBytes)
    var count: UInt32 = 0
    let status = unsafe bytes.withUnsafeMutableBufferPointer { bytes in
      unsafe inflateGetDictionary(stream, bytes.baseAddress, &count)
    }
    bytes.removeLast(Self.windowBytes - (status == Z_OK ? Int(count) : 0))
    return bytes
  }

  /// Fills `target` with what follows `point`, whose bytes begin with `input`.
  func inflate(_ input: RawSpan, from point: InflatePoint, into target: inout MutableRawSpan) -> Bool {
    guard begin(isRaw: true) else { return false }
    if point.bits > 0 {
      let value = Int32(point.byte) >> Int32(8 - point.bits)
      guard unsafe inflatePrime(stream, Int32(point.bits), value) == Z_OK else { return false }
    }
    if !point.window.isEmpty {
      guard unsafe inflateSetDictionary(stream, point.window, UInt32(point.window.count)) == Z_OK else { return false }
    }
    return next(input, into: &target, stopsAtBlocks: false).made == target.byteCount
  }
}
