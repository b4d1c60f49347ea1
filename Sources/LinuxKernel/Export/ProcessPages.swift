import Bytes
import CrashDump
import VMSA

/// The backing of each page of a process's VMAs, as runs of equal pages.
struct ProcessPages: SweepObserver {
  /// The backing of a page.
  enum Content: Equatable {
    /// Memory, starting at this physical address.
    case memory(UInt64)
    /// Unavailable: it is in swap, on a device, or not in the dump.
    case unavailable
    /// Never touched: zeros, or a page of its file.
    case untouched
  }

  /// Consecutive pages.
  struct Run {
    var start: UInt64
    var end: UInt64
    var content: Content
  }

  private let reader: NonPresentEntryReader
  private let tables: TranslationRegime
  private let memory: any PhysicalMemory
  private let page: UInt64
  private let damaged: Set<UInt64>
  /// Sorted by address, with gaps where nothing is mapped.
  private(set) var runs: [Run] = []
  /// Whether a table could not be read, or there were too many runs.
  private(set) var isIncomplete = false

  private static let most = 1 << 22

  /// Reads the page tables for `range`.
  ///
  /// - Parameter damaged: physical pages that cannot be read.
  init(_ context: KernelContext, _ tables: TranslationRegime, _ range: Range<UInt64>, without damaged: Set<UInt64>) {
    self.damaged = damaged
    reader = NonPresentEntryReader(context)
    self.tables = tables
    memory = context.dump.memory
    page = context.regime.granule.size
    if !range.isEmpty, context.sweep(range.lowerBound...(range.upperBound - 1), of: tables, &self).isCutShort {
      isIncomplete = true
    }
  }

  private mutating func add(_ start: UInt64, _ end: UInt64, _ content: Content) {
    if let last = runs.last, last.end == start {
      switch (last.content, content) {
      case (.memory(let one), .memory(let other)) where one &+ (last.end - last.start) == other:
        runs[runs.count - 1].end = end
        return
      case (.unavailable, .unavailable):
        runs[runs.count - 1].end = end
        return
      default: break
      }
    }
    guard runs.count < Self.most else {
      isIncomplete = true
      return
    }
    runs.append(Run(start: start, end: end, content: content))
  }

  /// Adds the pages of `entry`, each by its state in the dump.
  private mutating func add(_ entry: SweptEntry, _ physical: UInt64) {
    for offset in stride(from: 0, to: entry.size, by: Int(page)) {
      let start = entry.virtual.rawValue &+ offset
      let place = physical &+ offset
      let isThere = memory.absence(at: PhysicalAddress(place)) == nil && !damaged.contains(place)
      add(start, start &+ page, isThere ? .memory(place) : .unavailable)
    }
  }

  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) { add(entry, physical.rawValue) }

  mutating func invalid(_ entry: SweptEntry) {
    switch reader.page(entry.descriptor.rawValue, level: entry.level, of: tables) {
    case .empty, .marker: break
    case .protNone(let physical), .presentInvalid(let physical), .migration(let physical):
      add(entry, physical.rawValue)
    default: add(entry.virtual.rawValue, entry.virtual.rawValue &+ entry.size, .unavailable)
    }
  }

  mutating func corrupt(_ entry: SweptEntry, _ what: WalkResult.Corruption) {
    add(entry.virtual.rawValue, entry.virtual.rawValue &+ entry.size, .unavailable)
  }

  mutating func missing(_ table: SweptTable, _ virtual: VirtualAddress, count: Int, _ fault: MemoryFault) {
    isIncomplete = true
    add(virtual.rawValue, virtual.rawValue &+ UInt64(count) << UInt64(table.shift), .unavailable)
  }

  /// The `count` bytes at `address`; nil if they are not all in the dump.
  func bytes(at address: UInt64, count: Int) -> [UInt8]? {
    var result: [UInt8] = []
    for run in runs(in: address..<(address &+ UInt64(count))) {
      guard case .memory(let physical) = run.content,
        let part = try? memory.bytes(at: PhysicalAddress(physical), count: Int(run.end - run.start))
      else { return nil }
      result += part
    }
    return result
  }

  /// The runs of `range`, with its gaps as untouched runs.
  func runs(in range: Range<UInt64>) -> [Run] {
    var result: [Run] = []
    var here = range.lowerBound
    var index = runs.partitioningIndex { $0.end > range.lowerBound }
    while index < runs.count, runs[index].start < range.upperBound {
      var run = runs[index]
      let cut = max(run.start, range.lowerBound)
      if case .memory(let physical) = run.content { run.content = .memory(physical &+ (cut - run.start)) }
      run.start = cut
      run.end = min(run.end, range.upperBound)
      if here < run.start { result.append(Run(start: here, end: run.start, content: .untouched)) }
      result.append(run)
      here = run.end
      index += 1
    }
    if here < range.upperBound { result.append(Run(start: here, end: range.upperBound, content: .untouched)) }
    return result
  }
}
