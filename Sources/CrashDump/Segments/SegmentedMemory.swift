import Bytes
import VMSA

/// Physical memory stored uncompressed in a file, segment by segment.
struct SegmentedMemory: Sendable {
  let source: DumpBytes
  let map: MemoryMap
  private let windows: FileWindows

  init(source: DumpBytes, map: MemoryMap) {
    self.source = source
    self.map = map
    windows = FileWindows(map, in: source)
  }

  /// The little-endian 64-bit word at `address`.
  @inline(__always)
  func word(at address: PhysicalAddress) throws(MemoryFault) -> UInt64 {
    if let word = windows.word(at: address.rawValue) { return word }
    return try wordElsewhere(at: address)
  }

  /// The slow path: a word of a file that is not mapped, or one that straddles two segments.
  @inline(never)
  private func wordElsewhere(at address: PhysicalAddress) throws(MemoryFault) -> UInt64 {
    var bytes = [UInt8](repeating: 0, count: 8)
    try bytes.withMutableRawSpan { raw throws(MemoryFault) in try read(address, into: &raw) }
    return bytes.rawSpan.integer(UInt64.self, at: 0) ?? 0
  }

  /// Fills `buffer` from `address` on.
  func read(_ address: PhysicalAddress, into buffer: inout MutableRawSpan) throws(MemoryFault) {
    if windows.copy(address.rawValue, into: &buffer) { return }
    var done = 0
    while done < buffer.byteCount {
      let here = address &+ UInt64(done)
      guard let interval = map.interval(at: here.rawValue) else { throw MemoryFault(.notInDump, at: here) }
      if let absence = interval.absence { throw MemoryFault(absence, at: here) }
      let count = Int(min(UInt64(buffer.byteCount - done), interval.end - here.rawValue))
      let offset = interval.offset + (here.rawValue - interval.start)
      guard source.copy(offset, count: count, into: &buffer, at: done) else {
        // The map already tells what lies beyond the end of the file.
        throw MemoryFault(source.range(at: offset, count: UInt64(count)) == nil ? .cutOff : source.failure, at: here)
      }
      done += count
    }
  }

  /// Shows `body` `count` bytes from `address` on where they lie in the file; nil where they do not lie there together.
  func withBytes<R>(_ address: PhysicalAddress, count: Int, _ body: (RawSpan) -> R) -> R? {
    guard let interval = map.interval(at: address.rawValue), interval.absence == nil,
      UInt64(count) <= interval.end - address.rawValue
    else { return nil }
    let offset = interval.offset + (address.rawValue - interval.start)
    return source.withBytes(offset..<(offset + UInt64(count)), body)
  }

  /// Why the byte at `address` cannot be read, or nil.
  func absence(at address: PhysicalAddress) -> Absence? {
    guard let interval = map.interval(at: address.rawValue) else { return .notInDump }
    return interval.absence
  }

  /// The ranges of memory to scan: those with written bytes, and no byte of the file twice, whatever its headers say,
  /// so that a scan takes no longer than the file is large.
  private func writtenIntervals() -> [MemoryMap.Interval] {
    var result: [MemoryMap.Interval] = []
    var seen: UInt64 = 0
    for interval in map.intervals.filter({ $0.absence == nil }).sorted(by: { $0.offset < $1.offset }) {
      let end = interval.offset + (interval.end - interval.start)
      guard seen < end else { continue }
      for part in source.written(max(seen, interval.offset)..<end) {
        // Scanners expect whole pages.
        let page = UInt64(64 << 10)
        let from = interval.start + (part.lowerBound - interval.offset)
        let to = interval.start + (part.upperBound - interval.offset)
        let start = max(from & ~(page - 1), interval.start)
        let rest = to & (page - 1)
        let stop = rest == 0 ? to : to + min(interval.end - to, page - rest)
        if let last = result.last, last.start <= start, start <= last.end,
          last.offset &- last.start == interval.offset &- interval.start
        {
          result[result.count - 1].end = max(last.end, stop)
        } else {
          result.append(
            MemoryMap.Interval(
              start: start, end: stop, offset: interval.offset + (start - interval.start), absence: nil))
        }
      }
      seen = end
    }
    return result
  }

  /// Memory that reads as zeros because the file has a hole there.
  var holes: [Range<UInt64>] {
    guard source.readsUnwrittenAsZeros else { return [] }
    return map.intervals.filter { $0.absence == nil }.flatMap { interval in
      let bytes = interval.offset..<(interval.offset + (interval.end - interval.start))
      return RangeSet([bytes]).subtracting(RangeSet(source.written(bytes))).ranges.map { hole in
        (interval.start + (hole.lowerBound - interval.offset))..<(interval.start + (hole.upperBound - interval.offset))
      }
    }
  }

  /// Shows `body` all memory in the file, a mebibyte at a time.
  func scan(_ body: @Sendable (PhysicalAddress, RawSpan) -> Bool) {
    let present = writtenIntervals()
    let source = source
    ParallelScan.run(present.map { $0.start..<$0.end }) { index, piece in
      let interval = present[index]
      let offset = interval.offset + (piece.lowerBound - interval.start)
      let range = offset..<(offset + (piece.upperBound - piece.lowerBound))
      let more = source.withBytes(range) { body(PhysicalAddress(piece.lowerBound), $0) } ?? true
      source.forget(range)
      return more
    }
  }

  /// A warning if the file is cut short.
  var warnings: [Diagnostic] {
    let missing = map.bytes(.cutOff)
    return missing > 0
      ? [
        Diagnostic(
          .fileCutShort, "the file is cut short: \(missing) bytes of memory are missing at its end; copy it again")
      ] : []
  }

  /// What `info` shows of a file of this kind.
  func summary(format: String) -> DumpSummary {
    var summary = DumpSummary(
      format: format, bytesPresent: map.bytes(nil),
      bytesTotal: map.intervals.reduce(0) { $0 &+ ($1.end - $1.start) })
    summary.bytesFiltered = map.bytes(.filtered)
    summary.bytesCutOff = map.bytes(.cutOff)
    return summary
  }
}
