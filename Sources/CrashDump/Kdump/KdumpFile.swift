import Bytes
import Synchronization
import VMSA

/// A kdump-compressed dump (makedumpfile, QEMU): each page a block of its own, compressed or not.
final class KdumpFile: KdumpPart {
  var path: String { file.path }
  let header: KdumpHeader
  let notes: DumpNotes
  private let file: DumpBytes
  private let exists: PageBitmap
  private let dumped: PageBitmap
  private let cache: PageCache
  private let words: WordPages
  private let contexts = ContextPool()
  private let blockShift: UInt64
  /// What `info` calls it.
  private let format: String
  /// What the container of the bytes has to warn of.
  private let outerWarnings: [String]

  /// A `struct page_desc`.
  private struct PageDescriptor {
    var offset: UInt64
    var size: UInt32
    var flags: UInt32
    /// `sizeof(page_desc_t)`.
    static var size: UInt64 { 24 }
  }

  /// Reads the headers and notes of `file`.
  ///
  /// - Parameter cacheSize: bytes of decompressed pages to keep.
  init(_ file: DumpBytes, cacheSize: Int, format: String, warnings: [String] = []) throws(LocatedError) {
    let header = try KdumpHeader(file)
    var notes = DumpNotes()
    if let range = header.notes, file.withBytes(range, { notes.add($0) }) == nil {
      throw DumpNotes.unreadable(file, range)
    }
    if notes.vmcoreinfo == nil, let range = header.vmcoreinfo {
      notes.vmcoreinfo = file.bytes(range, limit: Limits.vmcoreinfoBytes)
    }
    self.file = file
    self.header = header
    self.notes = notes
    self.format = format
    outerWarnings = warnings
    exists = PageBitmap(file, at: header.bitmapOffset, count: header.frameCount)
    dumped =
      header.hasTwoBitmaps
      ? PageBitmap(file, at: header.bitmapOffset + header.bitmapSize, count: header.frameCount) : exists
    words = WordPages(pageSize: Int(header.blockSize), capacity: cacheSize / 4)
    cache = PageCache(pageSize: Int(header.blockSize), capacity: cacheSize - cacheSize / 4)
    blockShift = UInt64(header.blockSize.trailingZeroBitCount)
  }

  // MARK: - Pages

  /// Why frame `number` cannot be read, as far as the bitmaps tell.
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

  /// Where the stored bytes of frame `number` are, and how they are packed.
  private func stored(_ number: UInt64) -> Result<(range: Range<UInt64>, codec: PageCodec), PageFault> {
    if let absence = absence(ofFrame: number) { return .failure(PageFault(absence: absence)) }
    guard let descriptor = descriptor(number) else { return .failure(PageFault(absence: .cutOff)) }
    // A page that was lost when the disk was full has a descriptor of zeros; a page of zeros has not.
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

  /// Decompresses frame `number` into `page`.
  private func load(
    _ number: UInt64, into page: inout MutableRawSpan, _ context: DecompressionContext
  ) -> Absence? {
    switch stored(number) {
    case .failure(let fault): return fault.absence
    case .success(let (range, codec)): return decode(range, codec, into: &page, context)
    }
  }

  private func decode(
    _ range: Range<UInt64>, _ codec: PageCodec, into page: inout MutableRawSpan, _ context: DecompressionContext
  ) -> Absence? {
    let decoded = file.withBytes(range) { input in context.decompress(input, codec, into: &page) }
    // The file was seen to be long enough.
    guard let decoded else { return .unreadable }
    return decoded ? nil : .damaged
  }

  /// Shows `body` the bytes of frame `number`: from the cache, from the file where they are stored as they
  /// are, or decompressed.
  private func withFrame<R>(_ number: UInt64, _ body: (RawSpan) -> R) -> Result<R, PageFault> {
    if let result = cache.withKeptPage(number, body) { return .success(result) }
    switch stored(number) {
    case .failure(let fault): return .failure(fault)
    case .success(let (range, [])):
      return file.withBytes(range, body).map { .success($0) } ?? .failure(PageFault(absence: .unreadable))
    case .success(let (range, codec)):
      return cache.withPage(
        number, load: { page in contexts.withContext { decode(range, codec, into: &page, $0) } }, body)
    }
  }

  // MARK: - PhysicalMemory

  @inline(__always)
  func word(at address: PhysicalAddress) throws(MemoryFault) -> UInt64 {
    let offset = Int(truncatingIfNeeded: address.rawValue & (header.blockSize &- 1))
    if let word = words.word(address.rawValue &>> blockShift, at: offset) { return word }
    return try firstWord(at: address, offset)
  }

  /// A word of a page that no word was read from before.
  @inline(never)
  private func firstWord(at address: PhysicalAddress, _ offset: Int) throws(MemoryFault) -> UInt64 {
    let number = address.rawValue >> blockShift
    let found = withFrame(number) { page in
      words.keep(number, page)
      return page.integer(UInt64.self, at: offset) ?? 0
    }
    switch found {
    case .success(let word): return word
    case .failure(let fault): throw MemoryFault(fault.absence, at: address)
    }
  }

  func read(_ address: PhysicalAddress, into buffer: inout MutableRawSpan) throws(MemoryFault) {
    let count = buffer.byteCount
    if UInt64(count) >= Self.largeRead * header.blockSize { return try readLarge(address, into: &buffer) }
    var done = 0
    while done < count {
      let here = address &+ UInt64(done)
      let offset = Int(truncatingIfNeeded: here.rawValue & (header.blockSize - 1))
      let part = min(count - done, Int(header.blockSize) - offset)
      let number = here.rawValue >> blockShift
      if part == Int(header.blockSize), !cache.isReadAgain(number) {
        if cache.withKeptPage(number, { buffer.copy($0, at: done) }) == nil {
          var page = buffer._mutatingExtracting(done..<(done + part))
          if let absence = contexts.withContext({ load(number, into: &page, $0) }) {
            throw MemoryFault(absence, at: here)
          }
        }
      } else if case .failure(let fault) = withFrame(
        number, { buffer.copy($0.extracting(offset..<(offset + part)), at: done) })
      {
        throw MemoryFault(fault.absence, at: here)
      }
      done += part
    }
  }

  /// Pages from which on a read goes around the cache, on all cores.
  private static var largeRead: UInt64 { 32 }

  /// Decompresses whole pages into `buffer` itself; each is written by one core only.
  private func readLarge(_ address: PhysicalAddress, into buffer: inout MutableRawSpan) throws(MemoryFault) {
    let size = header.blockSize
    let (end, overflow) = address.rawValue.addingReportingOverflow(UInt64(buffer.byteCount))
    guard !overflow else { throw MemoryFault(.notInDump, at: address) }
    let firstMissing = Mutex<MemoryFault?>(nil)
    let parts = BufferParts(of: &buffer)
    ParallelScan.run([(address.rawValue & ~(size - 1))..<end]) { _, piece in
      contexts.withContext { context in
        var here = max(piece.lowerBound, address.rawValue)
        while here < min(piece.upperBound, end) {
          let frameEnd = min((here | (size - 1)) + 1, end)
          let part = Int(frameEnd - here)
          let missing = parts.withPart(at: Int(here - address.rawValue), count: part) { target -> Absence? in
            if part == Int(size) { return load(here >> blockShift, into: &target, context) }
            var absence: Absence?
            let page = [UInt8](count: Int(size)) { page in
              absence = load(here >> blockShift, into: &page, context)
              return absence == nil
            }
            let from = Int(here & (size - 1))
            if absence == nil { _ = target.copy(page.rawSpan.extracting(from..<(from + part))) }
            return absence
          }
          if let absence = missing ?? .notInDump {
            let fault = MemoryFault(absence, at: PhysicalAddress(here))
            firstMissing.withLock { first in
              if first.map({ fault.address < $0.address }) ?? true { first = fault }
            }
            return true
          }
          here = frameEnd
        }
        return true
      }
    }
    if let fault = firstMissing.withLock({ $0 }) { throw fault }
  }

  func absence(at address: PhysicalAddress) -> Absence? {
    if case .failure(let fault) = stored(address.rawValue >> blockShift) { return fault.absence }
    return nil
  }

  var ranges: [Range<PhysicalAddress>] {
    var result: [Range<PhysicalAddress>] = []
    exists.forEachRun { frames, isSet in
      guard isSet else { return true }
      result.append(
        PhysicalAddress(frames.lowerBound << blockShift)..<PhysicalAddress(frames.upperBound << blockShift))
      return result.count < Limits.memoryRanges
    }
    return result
  }

  /// Shows `body` each page that can be read, decompressed outside the cache.
  func scan(_ body: @Sendable (PhysicalAddress, RawSpan) -> Bool) {
    var runs: [Range<UInt64>] = []
    var goesOn = true
    // A bitmap may claim far more pages than the file has descriptors for.
    var left = (file.byteCount - min(header.descriptorsOffset, file.byteCount)) / PageDescriptor.size
    dumped.forEachRun { frames, isSet in
      let ours = header.part.map { frames.clamped(to: $0) } ?? frames
      if isSet, !ours.isEmpty {
        let end = ours.lowerBound + min(left, ours.upperBound - ours.lowerBound)
        left -= end - ours.lowerBound
        runs.append((ours.lowerBound << blockShift)..<(end << blockShift))
      }
      if runs.count == Limits.runsAtOnce {
        goesOn = scan(runs, body)
        runs.removeAll(keepingCapacity: true)
      }
      return goesOn && left > 0
    }
    if goesOn { _ = scan(runs, body) }
  }

  /// Shows `body` the pages of `runs`; false when it has seen enough.
  private func scan(_ runs: [Range<UInt64>], _ body: @Sendable (PhysicalAddress, RawSpan) -> Bool) -> Bool {
    ParallelScan.run(runs) { _, piece in
      contexts.withContext { context in
        var page = [UInt8](repeating: 0, count: Int(header.blockSize))
        // Pages that are stored at one place, as those of zeros are, are decompressed once.
        var shown: Range<UInt64>?
        var frame = piece.lowerBound >> blockShift
        while frame << blockShift < piece.upperBound {
          if case .success(let (range, codec)) = stored(frame) {
            if range != shown {
              let absence = page.withMutableRawSpan { decode(range, codec, into: &$0, context) }
              shown = absence == nil ? range : nil
            }
            if shown != nil, !body(PhysicalAddress(frame << blockShift), page.rawSpan) { return false }
          }
          frame += 1
        }
        return true
      }
    }
  }

  var dumpLevel: Int? { header.dumpLevel }

  func missingPart(at address: PhysicalAddress) -> String? {
    guard let part = header.part else { return nil }
    let isBelow = address.rawValue >> blockShift < part.lowerBound
    let start = isBelow ? 0 : part.upperBound << blockShift
    let end = isBelow ? part.lowerBound << blockShift : header.frameCount << blockShift
    return "\(hex(start))-\(hex(end))"
  }

  // MARK: - What info shows

  var warnings: [String] {
    var warnings = outerWarnings
    // DUMP_DH_COMPRESSED_INCOMPLETE
    if header.status & 8 != 0 {
      warnings.append("makedumpfile marked this dump incomplete: it ran out of space")
    }
    if isCutShort { warnings.append("the file is cut short: pages are missing at its end; copy it again") }
    if isMisnumbered {
      warnings.append("its bitmap does not fit its page descriptors: one is damaged, and answers may be wrong")
    }
    return warnings
  }

  /// Whether the first page lies elsewhere than behind as many descriptors as the bitmap says, and behind the page
  /// of zeros where there is one: then what belongs to which frame is not known. The parts of a split dump leave room
  /// for the descriptors of all.
  private var isMisnumbered: Bool {
    let count = descriptorCount
    let end = header.descriptorsOffset + count * PageDescriptor.size
    guard header.part == nil, count > 0, let first = file.word(at: header.descriptorsOffset), first != 0 else {
      return false
    }
    return first != end && first != end + header.blockSize
  }

  /// Whether one of the last descriptors, or what it points to, lies beyond the end of the file. Pages are
  /// written in order, but pages of zeros share the first.
  private var isCutShort: Bool {
    let count = descriptorCount
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
  private var descriptorCount: UInt64 {
    guard let part = header.part else { return dumped.total }
    guard let end = dumped.rank(part.upperBound), let start = dumped.rank(part.lowerBound), start <= end else {
      return 0
    }
    return end - start
  }

  var storedBytes: UInt64 { descriptorCount << blockShift }

  var endOfMemory: UInt64 { header.frameCount << blockShift }

  var summary: DumpSummary {
    var summary = DumpSummary(
      format: "\(format), header version \(header.version)", bytesPresent: 0,
      bytesTotal: exists.total << blockShift)
    summary.compression = PageCodec(rawValue: header.status).intersection(.all).words
    summary.dumpLevel = header.dumpLevel
    summary.blockSize = header.blockSize
    let count = descriptorCount
    let counts = countPages(count)
    summary.bytesPresent = (count &- (counts?.lost ?? 0) &- (counts?.cutOff ?? 0)) << blockShift
    summary.bytesFiltered = (exists.total &- min(dumped.total, exists.total)) << blockShift
    summary.bytesZero = counts.map { $0.zero << blockShift }
    summary.bytesLost = (counts?.lost ?? 0) << blockShift
    summary.bytesCutOff = (counts?.cutOff ?? 0) << blockShift
    return summary
  }

  /// Pages of zeros (they share the first page of the file), lost and cut off ones, among `count`
  /// descriptors; nil where there are too many to look through.
  private func countPages(_ count: UInt64) -> (zero: UInt64, lost: UInt64, cutOff: UInt64)? {
    guard count <= Limits.countedPages else { return nil }
    let end = header.descriptorsOffset + count * PageDescriptor.size
    let zeroPage = isZeroPage(at: end) ? end : .max
    var zero: UInt64 = 0
    var lost: UInt64 = 0
    var cutOff: UInt64 = 0
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
            lost += 1
          } else if offset == zeroPage, size == header.blockSize {
            zero += 1
          } else if file.range(at: offset, count: size) == nil {
            cutOff += 1
          }
        }
      }
      file.forget(range)
      if seen == nil { cutOff += part }
      done += part
    }
    return (zero, lost, cutOff)
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
