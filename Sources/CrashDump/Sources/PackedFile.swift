import Bytes
import VMSA

/// The bytes of a file that another file holds packed, piece by piece, each of which can be unpacked by itself.
final class PackedFile: ByteSource {
  /// Bytes that were packed together, up to the next piece.
  struct Piece: Sendable {
    /// How they lie in the file.
    enum Packing: Sendable {
      /// As they are.
      case stored
      /// As a block of snappy, behind the checksum of what is in it.
      case snappy(checksum: UInt32)
      /// In a deflate stream, which can be read on from here.
      case deflated(InflatePoint)
    }

    /// Where the first of them is among all bytes.
    var start: UInt64
    /// Where the piece is in the file.
    var place: Range<UInt64>
    var packing: Packing
  }

  let path: String
  let byteCount: UInt64
  private let file: DumpBytes
  private let pieces: [Piece]
  private let cache: PageCache
  private let codecs = ContextPool { DecompressionContext() }
  private let inflaters = ContextPool { InflateStream() }

  /// - Parameters:
  ///   - pieces: in order and without gaps, the first at 0.
  ///   - byteCount: where the last piece ends.
  ///   - cacheSize: bytes of unpacked pieces to keep.
  init(_ file: DumpBytes, _ pieces: [Piece], byteCount: UInt64, cacheSize: Int) {
    path = file.path
    self.file = file
    self.pieces = pieces
    self.byteCount = byteCount
    var longest: UInt64 = 4096
    for (index, piece) in pieces.enumerated() {
      if case .stored = piece.packing { continue }
      longest = max(longest, (index + 1 < pieces.count ? pieces[index + 1].start : byteCount) - piece.start)
    }
    cache = PageCache(pageSize: Int(longest), capacity: cacheSize)
  }

  /// The number of the piece that holds the byte at `offset`, and its bytes among all.
  private func piece(at offset: UInt64) -> (number: Int, range: Range<UInt64>)? {
    guard offset < byteCount else { return nil }
    let number = pieces.partitioningIndex { $0.start > offset } - 1
    guard number >= 0 else { return nil }
    return (number, pieces[number].start..<(number + 1 < pieces.count ? pieces[number + 1].start : byteCount))
  }

  /// Shows `body` the bytes of `range`, which are all in one piece that lies in `whole`.
  private func withPart<R>(
    _ range: Range<UInt64>, of number: Int, _ whole: Range<UInt64>, _ body: (RawSpan) -> R
  ) -> R? {
    let piece = pieces[number]
    let part = Int(range.lowerBound - whole.lowerBound)..<Int(range.upperBound - whole.lowerBound)
    if case .stored = piece.packing {
      let start = piece.place.lowerBound + UInt64(part.lowerBound)
      return file.withBytes(start..<(start + UInt64(part.count)), body)
    }
    let count = Int(whole.upperBound - whole.lowerBound)
    func show(_ page: RawSpan) -> R { body(page.extracting(part)) }
    if let shown = cache.withKeptPage(UInt64(number), show) { return shown }
    let shown = cache.withPage(
      UInt64(number),
      load: { page in
        var target = page._mutatingExtracting(0..<count)
        return unpack(piece, into: &target) ? nil : .damaged
      }, show)
    if case .success(let shown) = shown { return shown }
    return nil
  }

  /// Fills `target` with the bytes of `piece`; false where they cannot be had from it.
  private func unpack(_ piece: Piece, into target: inout MutableRawSpan) -> Bool {
    let isUnpacked = file.withBytes(piece.place) { input -> Bool in
      switch piece.packing {
      case .stored: return target.copy(input)
      case .snappy: return codecs.withContext { $0.decompress(input, .snappy, into: &target) }
      case .deflated(let point): return inflaters.withContext { $0.inflate(input, from: point, into: &target) }
      }
    }
    guard isUnpacked == true else { return false }
    guard case .snappy(let checksum) = piece.packing else { return true }
    return CRC32C.masked(target.bytes) == checksum
  }

  func word(at offset: UInt64) -> UInt64? { integer(UInt64.self, at: offset) }

  func withBytes<R>(_ range: Range<UInt64>, _ body: (RawSpan) -> R) -> R? {
    guard range.upperBound <= byteCount else { return nil }
    if let (number, whole) = piece(at: range.lowerBound), range.upperBound <= whole.upperBound {
      return withPart(range, of: number, whole, body)
    }
    return withCopy(of: range, body)
  }

  func copy(_ offset: UInt64, count: Int, into buffer: inout MutableRawSpan, at position: Int) -> Bool {
    guard count >= 0, range(at: offset, count: UInt64(count)) != nil, position >= 0, position <= buffer.byteCount,
      count <= buffer.byteCount - position
    else { return false }
    var done = 0
    while done < count {
      let here = offset + UInt64(done)
      guard let (number, whole) = piece(at: here) else { return false }
      let end = min(whole.upperBound, offset + UInt64(count))
      let isCopied = withPart(here..<end, of: number, whole) { buffer.copy($0, at: position + done) }
      guard isCopied == true else { return false }
      done += Int(end - here)
    }
    return true
  }
}
