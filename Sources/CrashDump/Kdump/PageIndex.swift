import Bytes
import VMSA

/// Where a kdump file has each page: a bitmap of the frames that exist, one of those that were dumped, and a
/// descriptor for each of the latter, in the order of frames.
struct PageIndex: Sendable {
  private let file: DumpBytes
  private let header: KdumpHeader
  /// The frames that the machine had.
  let exists: PageBitmap
  /// The frames that have a descriptor.
  let dumped: PageBitmap

  /// A `struct page_desc`.
  private struct PageDescriptor {
    var offset: UInt64
    var size: UInt32
    var flags: UInt32
    /// `sizeof(page_desc_t)`.
    static var size: UInt64 { 24 }
  }

  /// Pages that `info` counts.
  struct Counts {
    var zero: UInt64 = 0
    var lost: UInt64 = 0
    var cutOff: UInt64 = 0
  }

  /// The index of `file`, whose headers are `header`.
  init(_ file: DumpBytes, _ header: KdumpHeader) {
    self.file = file
    self.header = header
    exists = PageBitmap(file, at: header.bitmapOffset, count: header.frameCount)
    dumped =
      header.hasTwoBitmaps
      ? PageBitmap(file, at: header.bitmapOffset + header.bitmapSize, count: header.frameCount) : exists
  }

  // MARK: - One page

  /// Why frame `number` cannot be read, by the bitmaps.
  private func absence(ofFrame number: UInt64) -> Absence? {
    guard number < header.frameCount else { return .notInDump }
    if let part = header.part, !part.contains(number) {
      return exists.contains(number) || dumped.contains(number) ? .inMissingPart : .notInDump
    }
    if dumped.contains(number) { return nil }
    return exists.contains(number) ? .filtered : .notInDump
  }

  /// The descriptor of frame `number`, which the bitmap says was dumped.
  private func descriptor(_ number: UInt64) -> PageDescriptor? {
    guard let rank = dumped.rank(number), let before = header.part.map({ dumped.rank($0.lowerBound) }) ?? 0,
      rank >= before
    else { return nil }
    let at = header.descriptorsOffset + (rank - before) * PageDescriptor.size
    guard let offset = file.word(at: at), let rest = file.word(at: at + 8) else { return nil }
    return PageDescriptor(
      offset: offset, size: UInt32(truncatingIfNeeded: rest), flags: UInt32(truncatingIfNeeded: rest >> 32))
  }

  /// Where the stored bytes of frame `number` are, and how they are compressed.
  func stored(_ number: UInt64) -> Result<(range: Range<UInt64>, codec: PageCodec), PageFault> {
    if let absence = absence(ofFrame: number) { return .failure(PageFault(absence: absence)) }
    guard let descriptor = descriptor(number) else { return .failure(PageFault(absence: .cutOff)) }
    // A page lost to a full disk has a descriptor of zeros; a page of zeros does not.
    guard descriptor.offset != 0 else { return .failure(PageFault(absence: .lost)) }
    let codec = PageCodec(rawValue: descriptor.flags).intersection(.all)
    let limit = codec == [] ? header.blockSize : UInt64(Limits.compressedPageFactor) * header.blockSize
    guard descriptor.size > 0, descriptor.size <= limit, codec != [] || descriptor.size == header.blockSize else {
      return .failure(PageFault(absence: .damaged))
    }
    guard let range = file.range(at: descriptor.offset, count: UInt64(descriptor.size)) else {
      return .failure(PageFault(absence: .cutOff))
    }
    return .success((range, codec))
  }

  // MARK: - All pages

  /// The most descriptors that fit in the file, whatever its bitmap claims.
  var most: UInt64 {
    (file.byteCount - min(header.descriptorsOffset, file.byteCount)) / PageDescriptor.size
  }

  /// Whether there are fewer descriptors than the bitmap says (the last is not a valid one, or the first page lies
  /// among them) or more (another one follows the last): then it is unknown which belongs to which frame. Where the
  /// pages begin is no evidence otherwise, since a writer may align them. The parts of a split dump leave room for the
  /// descriptors of all.
  var isMisnumbered: Bool {
    let count = count
    let end = header.descriptorsOffset + count * PageDescriptor.size
    guard header.part == nil, count > 0, let first = file.word(at: header.descriptorsOffset), first != 0 else {
      return false
    }
    let last = end - PageDescriptor.size
    let isLastLost = header.isIncomplete && file.word(at: last) == 0
    return first < end || !isLastLost && !isDescriptor(at: last, pagesFrom: end)
      || first - end >= PageDescriptor.size && isDescriptor(at: end, pagesFrom: end + PageDescriptor.size)
  }

  /// Whether the bytes at `offset` may be the descriptor of a page at or after `start`. In a file that is cut short,
  /// any may be.
  private func isDescriptor(at offset: UInt64, pagesFrom start: UInt64) -> Bool {
    guard let page = file.word(at: offset), let size = file.integer(UInt32.self, at: offset + 8),
      let flags = file.integer(UInt32.self, at: offset + 12)
    else { return true }
    return page >= start && page < 1 << 60 && size > 0
      && UInt64(size) <= UInt64(Limits.compressedPageFactor) * header.blockSize
      && PageCodec.all.isSuperset(of: PageCodec(rawValue: flags))
  }

  /// Whether one of the last descriptors, or what it points to, lies beyond the end of the file. Pages are
  /// written in order, but pages of zeros share the first.
  var isCutShort: Bool {
    let count = count
    let last = header.descriptorsOffset + count * PageDescriptor.size
    guard let range = file.range(at: header.descriptorsOffset, count: last - header.descriptorsOffset) else {
      return true
    }
    for index in (count > 256 ? count - 256 : 0)..<count {
      let at = range.lowerBound + index * PageDescriptor.size
      guard let offset = file.word(at: at), let size = file.integer(UInt32.self, at: at + 8) else { return true }
      if file.range(at: offset, count: UInt64(size)) == nil { return true }
    }
    return false
  }

  /// How many page descriptors the file has.
  var count: UInt64 {
    guard let part = header.part else { return dumped.total }
    guard let end = dumped.rank(part.upperBound), let start = dumped.rank(part.lowerBound), start <= end else {
      return 0
    }
    return end - start
  }

  /// How many pages are zeros, lost, and cut off; nil if there are too many descriptors to scan. Pages of zeros share
  /// one uncompressed page, which is written before all others.
  func countPages() -> Counts? {
    let count = count
    guard count <= Limits.countedPages else { return nil }
    var counts = Counts()
    var first = (offset: UInt64.max, count: UInt64(0))
    let chunk: UInt64 = 1 << 16
    var done: UInt64 = 0
    while done < count {
      let part = min(chunk, count - done)
      let start = header.descriptorsOffset + done * PageDescriptor.size
      let range = start..<(start + part * PageDescriptor.size)
      let seen: Void? = file.withBytes(range) { bytes in
        for index in 0..<Int(part) {
          let at = index * Int(PageDescriptor.size)
          let offset = bytes.integer(UInt64.self, at: at) ?? 0
          let size = UInt64(bytes.integer(UInt32.self, at: at + 8) ?? 0)
          if offset == 0 {
            counts.lost += 1
          } else if file.range(at: offset, count: size) == nil {
            counts.cutOff += 1
          } else if size == header.blockSize, offset <= first.offset, bytes.integer(UInt32.self, at: at + 12) == 0 {
            first = (offset, offset == first.offset ? first.count + 1 : 1)
          }
        }
      }
      file.forget(range)
      if seen == nil { counts.cutOff += part }
      done += part
    }
    if first.count > 0, isZeroPage(at: first.offset) { counts.zero = first.count }
    return counts
  }

  /// Whether a whole page of zeros lies at `offset`.
  private func isZeroPage(at offset: UInt64) -> Bool {
    guard let range = file.range(at: offset, count: header.blockSize) else { return false }
    return file.withBytes(range) { bytes in
      for index in stride(from: 0, to: bytes.byteCount, by: 8) where bytes.integer(UInt64.self, at: index) != 0 {
        return false
      }
      return true
    } ?? false
  }
}
