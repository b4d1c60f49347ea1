import Bytes
import CrashDump
import VMSA

/// The memory present in a dump as contiguous runs of pages, each with an offset in a file.
struct PhysicalRuns {
  /// Contiguous memory.
  struct Run {
    let start: UInt64
    let size: UInt64
    /// Its offset in the file.
    let offset: UInt64
    var end: UInt64 { start + size }
  }

  /// Sorted by address.
  private(set) var all: [Run] = []
  /// The file's size.
  private(set) var end: UInt64

  /// The smallest page: memory is present or absent in multiples of it.
  static let pageSize: UInt64 = 4096

  /// The memory of a dump; the first run is at the file's beginning.
  ///
  /// - Parameters:
  ///   - damaged: pages that are left out.
  ///   - left: page frames that are left out, of `frameSize` bytes each.
  init(_ memory: any PhysicalMemory, without damaged: Set<UInt64>, _ left: FrameSet, frameSize: UInt64) {
    end = 0
    var run: (start: UInt64, end: UInt64)?
    var last: UInt64 = 0
    for range in memory.ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      // A partial page is left out: readers would take the rest for zeros.
      let (rounded, isBeyond) = range.lowerBound.rawValue.addingReportingOverflow(Self.pageSize - 1)
      guard !isBeyond else { continue }
      var page = max(last, rounded & ~(Self.pageSize - 1))
      let end = range.upperBound.rawValue & ~(Self.pageSize - 1)
      while page < end {
        if memory.absence(at: PhysicalAddress(page)) == nil, !damaged.contains(page),
          left.ranges.isEmpty || !left.contains(page / frameSize)
        {
          if let known = run, known.end == page {
            run = (known.start, page + Self.pageSize)
          } else {
            if let known = run { add(known) }
            run = (page, page + Self.pageSize)
          }
        }
        page += Self.pageSize
      }
      last = max(last, end)
    }
    if let known = run { add(known) }
  }

  private mutating func add(_ run: (start: UInt64, end: UInt64)) {
    all.append(Run(start: run.start, size: run.end - run.start, offset: end))
    end += run.end - run.start
  }

  /// The runs with their file offsets increased by `distance`.
  func moved(by distance: UInt64) -> PhysicalRuns {
    var result = self
    result.all = all.map { Run(start: $0.start, size: $0.size, offset: $0.offset + distance) }
    result.end = end + distance
    return result
  }

  /// Each part of `range` that is present, and its offset in the file.
  func parts(in range: Range<UInt64>) -> [(physical: Range<UInt64>, offset: UInt64)] {
    var parts: [(physical: Range<UInt64>, offset: UInt64)] = []
    var low = 0
    var high = all.count
    while low < high {
      let middle = (low + high) / 2
      if all[middle].end <= range.lowerBound { low = middle + 1 } else { high = middle }
    }
    while low < all.count, all[low].start < range.upperBound {
      let run = all[low]
      let start = max(run.start, range.lowerBound)
      parts.append((start..<min(run.end, range.upperBound), run.offset + (start - run.start)))
      low += 1
    }
    return parts
  }
}
