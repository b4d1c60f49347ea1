import Bytes
import CrashDump
import Synchronization
import VMSA

/// Copies physical memory to a file, with holes for zero pages.
struct MemoryCopier {
  let dump: DumpFile
  private var memory: any PhysicalMemory { dump.memory }

  init(_ dump: DumpFile) { self.dump = dump }

  /// Bytes read at once.
  private static let pieceBytes: UInt64 = 1 << 20

  /// Copies the memory of `runs`. If they are most of the dump, scans the whole dump, on all cores and without copying
  /// it first.
  ///
  /// - Parameter progress: called with the number of bytes just written.
  /// - Returns: the pages that cannot be read.
  func copy(
    _ runs: PhysicalRuns, to file: borrowing OutputFile, _ progress: @Sendable (UInt64) -> Void
  ) throws(LocatedError) -> [UInt64] {
    let total = runs.all.reduce(0) { $0 &+ $1.size }
    let done = total >= dump.storedBytes / 2 ? try scan(runs, to: file, progress) : RangeSet()
    var damaged: [UInt64] = []
    for rest in RangeSet(runs.all.map { $0.start..<$0.end }).subtracting(done).ranges {
      for (part, offset) in runs.parts(in: rest) {
        damaged += try copy(part.lowerBound, part.upperBound - part.lowerBound, to: file, at: offset, progress)
      }
    }
    return damaged
  }

  /// The memory that a scan has written.
  private struct Written {
    var ranges: [Range<UInt64>] = []
    var failure: LocatedError?
  }

  /// Writes the memory of `runs` that a scan of the dump yields.
  ///
  /// - Returns: the addresses that no longer have to be copied.
  private func scan(
    _ runs: PhysicalRuns, to file: borrowing OutputFile, _ progress: @Sendable (UInt64) -> Void
  ) throws(LocatedError) -> RangeSet<UInt64> {
    let state = Mutex(Written())
    memory.scan { address, bytes in
      var written = Written()
      let start = address.rawValue
      for (part, offset) in runs.parts(in: start..<(start &+ UInt64(bytes.byteCount))) {
        do throws(LocatedError) {
          let place = Int(part.lowerBound - start)..<Int(part.upperBound - start)
          try Self.write(bytes.extracting(place), to: file, at: offset)
        } catch {
          written.failure = error
          break
        }
        written.ranges.append(part)
        progress(part.upperBound - part.lowerBound)
      }
      return state.withLock { state in
        state.ranges += written.ranges
        state.failure = state.failure ?? written.failure
        return state.failure == nil
      }
    }
    var written = state.withLock { $0 }
    if let failure = written.failure { throw failure }
    for hole in dump.holes {
      for (part, _) in runs.parts(in: hole) {
        written.ranges.append(part)
        progress(part.upperBound - part.lowerBound)
      }
    }
    return RangeSet(written.ranges)
  }

  /// Copies the `size` bytes of whole pages at `start` to `offset` of `file`.
  ///
  /// - Parameter progress: called with the number of bytes just written.
  /// - Returns: the pages that cannot be read.
  func copy(
    _ start: UInt64, _ size: UInt64, to file: borrowing OutputFile, at offset: UInt64, _ progress: (UInt64) -> Void
  ) throws(LocatedError) -> [UInt64] {
    var damaged: [UInt64] = []
    var done: UInt64 = 0
    while done < size {
      let count = min(Self.pieceBytes, size - done)
      let here = start + done
      if let bytes = try? memory.bytes(at: PhysicalAddress(here), count: Int(count)) {
        try Self.write(bytes.rawSpan, to: file, at: offset + done)
      } else {
        for page in stride(from: here, to: here + count, by: Int(PhysicalRuns.pageSize)) {
          if let bytes = try? memory.bytes(at: PhysicalAddress(page), count: Int(PhysicalRuns.pageSize)) {
            try Self.write(bytes.rawSpan, to: file, at: offset + (page - start))
          } else {
            damaged.append(page)
          }
        }
      }
      progress(count)
      done += count
    }
    return damaged
  }

  /// Writes `bytes`, except for zero pages.
  private static func write(_ bytes: RawSpan, to file: borrowing OutputFile, at offset: UInt64) throws(LocatedError) {
    var start = 0
    let page = Int(PhysicalRuns.pageSize)
    var position = 0
    while position < bytes.byteCount {
      let end = min(position + page, bytes.byteCount)
      if bytes.extracting(position..<end).isZero {
        if start < position { try file.write(bytes.extracting(start..<position), at: offset + UInt64(start)) }
        start = end
      }
      position = end
    }
    if start < position { try file.write(bytes.extracting(start..<position), at: offset + UInt64(start)) }
  }
}
