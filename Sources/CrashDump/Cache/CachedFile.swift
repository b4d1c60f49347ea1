import Bytes
import VMSA

/// A file that is read in cached blocks instead of mapped: on a failing disk or network mount a read returns an error,
/// where a mapping would hang or kill the process.
final class CachedFile: ByteSource {
  private let file: UnmappedFile
  private let blocks: PageCache

  /// Bytes of a block: what a network file system fetches at once anyway.
  private static let blockSize: UInt64 = 64 << 10
  /// Bytes of blocks kept.
  private static let capacity = 32 << 20

  var path: String { file.path }
  var byteCount: UInt64 { file.byteCount }

  /// Reads `file` through a cache.
  init(_ file: UnmappedFile) {
    self.file = file
    blocks = PageCache(pageSize: Int(Self.blockSize), capacity: Self.capacity)
  }

  /// Shows `body` the bytes of `range` in the block that holds all of them; nil if it spans blocks, or the file cannot
  /// be read there.
  private func withBlock<R>(_ range: Range<UInt64>, _ body: (RawSpan) -> R) -> R? {
    let number = range.lowerBound / Self.blockSize
    let start = number * Self.blockSize
    guard range.upperBound <= byteCount, range.upperBound - start <= Self.blockSize else { return nil }
    let stored = Int(min(Self.blockSize, byteCount - start))
    let part = Int(range.lowerBound - start)..<Int(range.upperBound - start)
    func show(_ block: RawSpan) -> R { body(block.extracting(part)) }
    if let result = blocks.withKeptPage(number, show) { return result }
    let result = blocks.withPage(
      number, load: { block in file.copy(start, count: stored, into: &block, at: 0) ? nil : .unreadable }, show)
    guard case .success(let shown) = result else { return nil }
    return shown
  }

  func word(at offset: UInt64) -> UInt64? { integer(UInt64.self, at: offset) }

  func withBytes<R>(_ range: Range<UInt64>, _ body: (RawSpan) -> R) -> R? {
    guard range.upperBound <= byteCount else { return nil }
    // A failed block is not tried again piece by piece.
    if isInOneBlock(range) { return withBlock(range, body) }
    return withCopy(of: range, body)
  }

  private func isInOneBlock(_ range: Range<UInt64>) -> Bool {
    range.isEmpty || range.lowerBound / Self.blockSize == (range.upperBound - 1) / Self.blockSize
  }

  func copy(_ offset: UInt64, count: Int, into buffer: inout MutableRawSpan, at position: Int) -> Bool {
    guard count >= 0, let range = range(at: offset, count: UInt64(count)), position >= 0,
      position <= buffer.byteCount, count <= buffer.byteCount - position
    else { return false }
    // Reads larger than a block bypass the cache: they are seldom repeated.
    guard isInOneBlock(range) else { return file.copy(offset, count: count, into: &buffer, at: position) }
    guard count > 0 else { return true }
    return withBlock(range) { block in buffer.copy(block, at: position) } ?? false
  }
}
