import CrashDump
import VMSA

/// How much of a range of a process's addresses is in memory and in swap, by its page tables.
package struct UserPages: Hashable, Sendable {
  /// Bytes that its tables map, as smaps counts them: without special mappings such as the zero page (PTE_SPECIAL).
  package internal(set) var resident: UInt64 = 0
  /// Bytes in swap.
  package internal(set) var swapped: UInt64 = 0
}

/// Counts the pages of VMAs, in one pass over a process's tables.
struct UserPageCounter: SweepObserver {
  private let reader: NonPresentEntryReader
  private let tables: TranslationRegime
  /// The ranges in order, and the count of each.
  private let ranges: [Range<UInt64>]
  private(set) var counts: [UserPages]
  /// Whether a table could not be read.
  private(set) var isIncomplete = false
  private var current = 0

  init(_ reader: NonPresentEntryReader, _ tables: TranslationRegime, _ ranges: [Range<UInt64>]) {
    self.reader = reader
    self.tables = tables
    self.ranges = ranges
    counts = ranges.map { _ in UserPages() }
  }

  /// Adds `entry` to the ranges that it overlaps.
  private mutating func add(_ entry: SweptEntry, _ count: (inout UserPages, UInt64) -> Void) {
    let first = entry.virtual.rawValue
    let end = first &+ entry.size
    while current < ranges.count, ranges[current].upperBound <= first { current += 1 }
    var index = current
    while index < ranges.count, ranges[index].lowerBound < end {
      let part = min(end, ranges[index].upperBound) - max(first, ranges[index].lowerBound)
      count(&counts[index], part)
      index += 1
    }
  }

  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    guard !SoftwareBits(rawValue: entry.descriptor.rawValue).contains(.special) else { return }
    add(entry) { $0.resident += $1 }
  }

  mutating func invalid(_ entry: SweptEntry) {
    switch reader.page(entry.descriptor.rawValue, level: entry.level, of: tables) {
    case .protNone, .presentInvalid: add(entry) { $0.resident += $1 }
    case .swapped: add(entry) { $0.swapped += $1 }
    default: break
    }
  }

  mutating func missing(_ table: SweptTable, _ virtual: VirtualAddress, count: Int, _ fault: MemoryFault) {
    isIncomplete = true
  }
}

/// Collects the frames that a process maps, each once.
struct UserFrameFinder: SweepObserver {
  private let shift: UInt64
  private(set) var frames: Set<UInt64> = []
  /// Whether a table could not be read.
  private(set) var isIncomplete = false

  init(pageShift: Int) { shift = UInt64(pageShift) }

  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    guard !SoftwareBits(rawValue: entry.descriptor.rawValue).contains(.special) else { return }
    let first = physical.rawValue >> shift
    for frame in first..<(first + max(1, entry.size >> shift)) where frames.count < Limits.claimedPages {
      frames.insert(frame)
    }
  }

  mutating func missing(_ table: SweptTable, _ virtual: VirtualAddress, count: Int, _ fault: MemoryFault) {
    isIncomplete = true
  }
}
