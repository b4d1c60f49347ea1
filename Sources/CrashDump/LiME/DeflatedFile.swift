import Bytes

/// A file that is one zlib stream, as LiME writes it with `compress=1`: the headers and the memory packed together, with
/// a window of 2 KiB. (LiME, src/deflate.c and src/main.c; RFC 1950)
enum DeflatedFile {
  /// Bytes from one place where reading may begin to the next, at least.
  private static let distance: UInt64 = 1 << 20
  /// Bytes of the file that are looked at together.
  private static let step: UInt64 = 1 << 20

  /// Whether a file may begin with a zlib stream: deflate without a dictionary, and a check that holds.
  static func recognises(_ bytes: RawSpan) -> Bool {
    guard let method = bytes.integer(UInt8.self, at: 0), let flags = bytes.integer(UInt8.self, at: 1) else {
      return false
    }
    return method & 0xf == 8 && method >> 4 < 8 && flags & 0x20 == 0
      && (UInt16(method) << 8 | UInt16(flags)) % 31 == 0
  }

  /// The first `count` bytes that are packed in the stream that begins with `bytes`; nil where they are damaged.
  static func head(_ bytes: RawSpan, count: Int) -> [UInt8]? {
    let stream = InflateStream()
    guard stream.begin() else { return nil }
    var made = 0
    let head = [UInt8](count: count) { target in
      made = stream.next(bytes, into: &target, stopsAtBlocks: false).made
      return made == count
    }
    return made == count ? head : nil
  }

  /// Reads the whole stream once for places from which it can be read on. What follows damage, or the place where the
  /// file is cut short, is left out.
  ///
  /// - Throws: `LocatedError` where nothing is packed, or the places are too far apart.
  static func unpacked(_ file: DumpBytes, cacheSize: Int) throws(LocatedError) -> PackedFile {
    func fail(_ offset: UInt64, _ message: String) -> LocatedError {
      LocatedError(file: file.path, offset: offset, kind: .unsupported, message)
    }
    let stream = InflateStream()
    guard stream.begin() else { throw fail(0, "cannot be unpacked: there is no memory for that") }
    var points: [(start: UInt64, position: UInt64, point: InflatePoint)] = []
    var made: UInt64 = 0
    var position: UInt64 = 0
    var scratch = [UInt8](repeating: 0, count: 1 << 18)
    var isOver = false
    while !isOver, position < file.byteCount {
      let range = position..<min(position + step, file.byteCount)
      var used = 0
      let isShown: Void? = file.withBytes(range) { bytes in
        while !isOver, used < bytes.byteCount {
          let result = scratch.withMutableRawSpan { target in
            stream.next(bytes.extracting(used..<bytes.byteCount), into: &target, stopsAtBlocks: true)
          }
          isOver = result.isOver
          used += result.used
          made += UInt64(result.made)
          if !isOver, let bits = result.blockBits, points.isEmpty || made - (points.last?.start ?? 0) >= distance {
            // The bits that are not used yet are the highest of the byte before.
            let byte = bits == 0 ? 0 : bytes.integer(UInt8.self, at: used - 1) ?? 0
            points.append(
              (made, position + UInt64(used), InflatePoint(bits: bits, byte: byte, window: stream.window)))
          }
          if result.used == 0, result.made == 0, result.blockBits == nil { break }
        }
      }
      guard isShown != nil, points.count < Limits.packedPieces else { break }
      if used == 0 { break }
      position += UInt64(used)
    }
    // Before the first block nothing was made.
    guard let first = points.first, first.start == 0, made > 0 else { throw fail(0, "is a damaged zlib stream") }
    var pieces: [PackedFile.Piece] = []
    for (number, point) in points.enumerated() where point.start < made {
      let end = number + 1 < points.count ? points[number + 1].start : made
      guard end - point.start <= Limits.inflatedPiece else {
        throw fail(point.position, "has \(end - point.start) bytes in one block of zlib; unpack it first")
      }
      let last = number + 1 < points.count ? points[number + 1].position : position
      pieces.append(
        PackedFile.Piece(
          start: point.start, place: point.position..<min(last, file.byteCount), packing: .deflated(point.point)))
    }
    return PackedFile(file, pieces, byteCount: made, cacheSize: cacheSize)
  }
}
