import Bytes
import Synchronization
import VMSA

/// A kdump-compressed dump (makedumpfile, QEMU): each page stored by itself, compressed or not.
final class KdumpFile: DumpContainer {
  var path: String { file.path }
  let header: KdumpHeader
  let notes: DumpNotes
  private let file: DumpBytes
  private let index: PageIndex
  private let cache: PageCache
  private let words: WordPages
  private let contexts = ContextPool { DecompressionContext() }
  private let blockShift: UInt64
  /// What `info` calls it.
  private let format: String
  /// Warnings from the container of the bytes.
  private let outerWarnings: [Diagnostic]

  /// Reads the headers and notes of `file`.
  ///
  /// - Parameter cacheSize: bytes of decompressed pages to keep.
  init(_ file: DumpBytes, cacheSize: Int, format: String, warnings: [Diagnostic] = []) throws(LocatedError) {
    let header = try KdumpHeader(file)
    var notes = DumpNotes()
    if let range = header.notes { _ = try notes.add(range, of: file, limit: Limits.noteBytes) }
    if notes.vmcoreinfo == nil, let range = header.vmcoreinfo {
      notes.vmcoreinfo = file.bytes(range, limit: Limits.vmcoreinfoBytes)
    }
    if let range = header.eraseInfo { notes.eraseInfo = file.bytes(range, limit: Limits.eraseInfoBytes) }
    self.file = file
    self.header = header
    self.notes = notes
    self.format = format
    outerWarnings = warnings
    index = PageIndex(file, header)
    words = WordPages(pageSize: Int(header.blockSize), capacity: cacheSize / 4)
    cache = PageCache(pageSize: Int(header.blockSize), capacity: cacheSize - cacheSize / 4)
    blockShift = UInt64(header.blockSize.trailingZeroBitCount)
  }

  // MARK: - Pages

  /// Decompresses frame `number` into `page`.
  private func load(
    _ number: UInt64, into page: inout MutableRawSpan, _ context: DecompressionContext
  ) -> Absence? {
    switch index.stored(number) {
    case .failure(let fault): return fault.absence
    case .success(let (range, codec)): return decode(range, codec, into: &page, context)
    }
  }

  private func decode(
    _ range: Range<UInt64>, _ codec: PageCodec, into page: inout MutableRawSpan, _ context: DecompressionContext
  ) -> Absence? {
    let decoded = file.withBytes(range) { input in context.decompress(input, codec, into: &page) }
    // The file was checked to be long enough.
    guard let decoded else { return .unreadable }
    return decoded ? nil : .damaged
  }

  /// Shows `body` the bytes of frame `number`: from the cache, from the file if they are stored uncompressed, or
  /// decompressed.
  private func withFrame<R>(_ number: UInt64, _ body: (RawSpan) -> R) -> Result<R, PageFault> {
    if let result = cache.withKeptPage(number, body) { return .success(result) }
    switch index.stored(number) {
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

  /// A word of a page from which none was read before.
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

  /// A read of this many pages or more bypasses the cache and uses all cores.
  private static var largeRead: UInt64 { 32 }

  /// Decompresses whole pages into `buffer` itself; each is written by a single core.
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
    if case .failure(let fault) = index.stored(address.rawValue >> blockShift) { return fault.absence }
    return nil
  }

  var ranges: [Range<PhysicalAddress>] {
    var result: [Range<PhysicalAddress>] = []
    index.exists.forEachRun { frames, isSet in
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
    var left = index.most
    index.dumped.forEachRun { frames, isSet in
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

  /// Shows `body` the pages of `runs`; false once it has seen enough.
  private func scan(_ runs: [Range<UInt64>], _ body: @Sendable (PhysicalAddress, RawSpan) -> Bool) -> Bool {
    ParallelScan.run(runs) { _, piece in
      contexts.withContext { context in
        var page = [UInt8](repeating: 0, count: Int(header.blockSize))
        // Pages that share stored data, as zero pages do, are decompressed once.
        var shown: Range<UInt64>?
        var frame = piece.lowerBound >> blockShift
        while frame << blockShift < piece.upperBound {
          if case .success(let (range, codec)) = index.stored(frame) {
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

  var warnings: [Diagnostic] {
    var warnings = outerWarnings
    if header.isIncomplete { warnings.append(.incomplete) }
    if index.isCutShort {
      warnings.append(
        Diagnostic(.fileCutShort, "the file is cut short: pages are missing at its end; copy it again"))
    }
    if index.isMisnumbered {
      warnings.append(
        Diagnostic(
          .bitmapMismatch, "its bitmap does not fit its page descriptors: one is damaged, and answers may be wrong"))
    }
    return warnings
  }

  var storedBytes: UInt64 { index.count << blockShift }

  var endOfMemory: UInt64 { header.frameCount << blockShift }

  var summary: DumpSummary {
    var summary = DumpSummary(
      format: "\(format), header version \(header.version)", bytesPresent: 0,
      bytesTotal: index.exists.total << blockShift)
    summary.compression = PageCodec(rawValue: header.status).intersection(.all).words
    summary.dumpLevel = header.dumpLevel
    summary.excludesVmemmap = header.excludesVmemmap
    summary.blockSize = header.blockSize
    let counts = index.countPages()
    summary.bytesPresent = (index.count &- (counts?.lost ?? 0) &- (counts?.cutOff ?? 0)) << blockShift
    summary.bytesFiltered = (index.exists.total &- min(index.dumped.total, index.exists.total)) << blockShift
    summary.bytesZero = counts.map { $0.zero << blockShift }
    summary.bytesLost = (counts?.lost ?? 0) << blockShift
    summary.bytesCutOff = (counts?.cutOff ?? 0) << blockShift
    return summary
  }
}
