import Bytes

/// A file of AVML with compressed memory, its version 2: blocks of up to 16 MiB.
///
///     magic u32 = "AVML" | version u32 = 2 | start u64 | end u64, inclusive | reserved u64
///     the memory in snappy's framing: chunks of a type, a length of 24 bits, and up to 64 KiB of memory, packed
///     bytes of that framing u64
///
/// Unpacked it is a LiME file of another magic and version. (avml, src/image.rs; snappy, framing_format.txt)
enum AVMLFile {
  private static let headerSize: UInt64 = 32
  /// The most memory in one chunk.
  private static let chunkBytes: UInt64 = 1 << 16

  /// Whether a file begins as those of version 2 do.
  static func recognises(_ bytes: RawSpan) -> Bool {
    bytes.hasBytes("AVML", at: 0) && bytes.integer(UInt32.self, at: 4) == 2
  }

  /// Memory that is packed in one chunk, behind the chunk's header and checksum.
  private struct Chunk {
    var bytes: UInt64
    var packing: PackedFile.Piece.Packing
    var place: Range<UInt64>
  }

  /// Reads the header of each chunk. What follows a place where the file is cut short is left out.
  ///
  /// - Throws: `LocatedError` for headers that do not fit each other.
  static func unpacked(_ file: DumpBytes, cacheSize: Int) throws(LocatedError) -> PackedFile {
    func fail(_ offset: UInt64, _ message: String) -> LocatedError {
      LocatedError(file: file.path, offset: offset, kind: .malformed, message)
    }
    var pieces: [PackedFile.Piece] = []
    var end: UInt64 = 0
    func add(_ count: UInt64, _ place: Range<UInt64>, _ packing: PackedFile.Piece.Packing) {
      pieces.append(PackedFile.Piece(start: end, place: place, packing: packing))
      end += count
    }
    var position: UInt64 = 0
    while let header = file.range(at: position, count: headerSize) {
      guard file.withBytes(header, recognises) == true, let first = file.word(at: position + 8),
        let last = file.word(at: position + 16), first <= last, last - first < 1 << 52
      else {
        if !pieces.isEmpty, file.isZero(position..<file.byteCount) { break }
        throw fail(position, "there is no header of AVML where one must be; it is damaged")
      }
      add(headerSize, header, .stored)
      position += headerSize
      let framing = position
      var left = last - first + 1
      // Behind the memory there may be padding.
      while left > 0 || file.word(at: position) != position - framing {
        let isBehind = left == 0 && file.range(at: position, count: 8) != nil
        let next =
          isBehind && file.integer(UInt8.self, at: position) ?? 0 < 0x80
          ? nil : try chunk(file, at: position, fail)
        guard let next else {
          if isBehind { throw fail(position, "a block is not as long as it says; it is damaged") }
          return PackedFile(file, pieces, byteCount: end, cacheSize: cacheSize)
        }
        if let chunk = next.chunk {
          guard chunk.bytes <= left, pieces.count < Limits.packedPieces else {
            throw fail(position, "a chunk has more memory than its block, or there are too many; it is damaged")
          }
          add(chunk.bytes, chunk.place, chunk.packing)
          left -= chunk.bytes
        }
        position = next.end
      }
      position += 8
    }
    return PackedFile(file, pieces, byteCount: end, cacheSize: cacheSize)
  }

  /// The chunk at `position`, if it has memory, and where the next is; nil where the file ends before.
  private static func chunk(
    _ file: DumpBytes, at position: UInt64, _ fail: (UInt64, String) -> LocatedError
  ) throws(LocatedError) -> (chunk: Chunk?, end: UInt64)? {
    guard let word = file.integer(UInt32.self, at: position) else { return nil }
    let length = UInt64(word >> 8)
    let body = position + 4
    guard file.range(at: body, count: length) != nil else { return nil }
    let end = body + length
    switch word & 0xff {
    case 0, 1:
      guard length > 4, let checksum = file.integer(UInt32.self, at: body) else {
        throw fail(position, "a chunk has no room for its checksum; it is damaged")
      }
      let place = (body + 4)..<end
      let isPacked = word & 0xff == 0
      guard let bytes = isPacked ? unpackedLength(file, place) : length - 4, (1...chunkBytes).contains(bytes) else {
        throw fail(position, "a chunk has no memory, or more than 64 KiB; it is damaged")
      }
      return (Chunk(bytes: bytes, packing: isPacked ? .snappy(checksum: checksum) : .stored, place: place), end)
    // The name of the framing, padding, and what readers may skip.
    case 0x80...0xff: return (nil, end)
    default: throw fail(position, "has a chunk of type \(word & 0xff), which is not known")
    }
  }

  /// The number that a block of snappy begins with, seven bits in each byte, the lowest first.
  private static func unpackedLength(_ file: DumpBytes, _ place: Range<UInt64>) -> UInt64? {
    var value: UInt64 = 0
    for index in 0..<UInt64(5) {
      let here = place.lowerBound + index
      guard here < place.upperBound, let byte = file.integer(UInt8.self, at: here) else { return nil }
      value |= UInt64(byte & 0x7f) << (7 * index)
      if byte < 0x80 { return value }
    }
    return nil
  }
}
