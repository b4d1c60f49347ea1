import KernelVA

/// Every entry of a set of tables, encoded compactly enough for a page of 2 MB.
///
/// Leaves are stored as runs in address order: neighbours of one kind that also map consecutive memory. A run is a head
/// of `kind * 8 + flags`, then what the flags call for, all as LEB128:
///
///     1   pages between the end of the run before and this one
///     2   where its memory is, in pages, less the end of the memory of the run before (zigzag)
///     4   how many entries it has, less 2; else it has one
///
/// Table descriptors are stored as: their own address in words, less that of the one before (zigzag); `kind`; the
/// address of the table in pages, less that of the one before (zigzag).
struct TableMap: SweepObserver {
  /// What entries of a run share besides their output addresses.
  struct Kind: Hashable {
    let level: Int
    /// The descriptor without the address.
    let rest: UInt64
    /// The restrictions of the tables above.
    let tables: TableAttributes
    /// Whether all entries of a run map the same memory.
    let isRepeated: Bool
  }

  /// An invalid entry that is not zero, or a part that cannot be read.
  struct Oddity {
    let what: String
    let first: UInt64
    let last: UInt64
    let level: Int
    let descriptor: UInt64
  }

  let regime: TranslationRegime
  private(set) var leaves: [UInt8] = []
  private(set) var tables: [UInt8] = []
  private(set) var kinds: [Kind] = []
  private(set) var tableKinds: [UInt64] = []
  private(set) var oddities: [Oddity] = []
  /// The number of leaves.
  private(set) var count: UInt64 = 0
  /// Whether something was left out.
  private(set) var isCutShort = false

  private var kindNumbers: [Kind: Int] = [:]
  private var tableKindNumbers: [UInt64: Int] = [:]
  private var run: Run?
  private var nextPage: UInt64 = 0
  private var nextPhysical: UInt64 = 0
  private var lastEntry: UInt64 = 0
  private var lastTable: UInt64 = 0

  private struct Run {
    let kind: Int
    let page: UInt64
    let physical: UInt64
    /// Pages of one entry.
    let size: UInt64
    var entries: UInt64
  }

  init(_ regime: TranslationRegime) { self.regime = regime }

  private var shift: UInt64 { UInt64(regime.granule.pageShift) }

  private var isFull: Bool { leaves.count + tables.count >= Limits.drawnTableBytes }

  mutating func enter(_ table: SweptTable) -> Bool {
    guard !isFull else {
      isCutShort = true
      return false
    }
    guard let parent = table.parent else { return true }
    let rest = remainder(parent.descriptor.rawValue, table.address)
    guard let kind = number(of: rest) else { return false }
    CompactNumber.append(zigzag: parent.address.rawValue >> 3 &- lastEntry, to: &tables)
    CompactNumber.append(UInt64(kind), to: &tables)
    CompactNumber.append(zigzag: table.address.rawValue >> shift &- lastTable, to: &tables)
    lastEntry = parent.address.rawValue >> 3
    lastTable = table.address.rawValue >> shift
    return true
  }

  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    add(entry, physical, entries: 1, isRepeated: false)
  }

  mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {
    let entries = (last &- entry.virtual.rawValue) >> UInt64(entry.shift) + 1
    add(entry, physical, entries: entries, isRepeated: entries > 1)
  }

  mutating func invalid(_ entry: SweptEntry) { note("invalid", entry) }

  mutating func corrupt(_ entry: SweptEntry, _ what: WalkResult.Corruption) { note("corrupt", entry) }

  mutating func missing(_ table: SweptTable, _ virtual: VirtualAddress, count: Int, _ fault: MemoryFault) {
    let bytes = UInt64(truncatingIfNeeded: count) << UInt64(table.shift)
    note(
      Oddity(
        what: "missing", first: virtual.rawValue, last: virtual.rawValue &+ (bytes &- 1), level: table.level,
        descriptor: table.address.rawValue))
  }

  /// Ends the pass, which returned `result`.
  mutating func finish(_ result: SweepResult) {
    finish()
    if result.isCutShort { isCutShort = true }
  }

  /// Ends the last run.
  private mutating func finish() {
    guard let run else { return }
    self.run = nil
    let page = run.page
    let jump = run.physical &- nextPhysical
    let flags: UInt64 = (page == nextPage ? 0 : 1) | (jump == 0 ? 0 : 2) | (run.entries > 1 ? 4 : 0)
    CompactNumber.append(UInt64(run.kind) << 3 | flags, to: &leaves)
    if page != nextPage { CompactNumber.append(page &- nextPage, to: &leaves) }
    if jump != 0 { CompactNumber.append(zigzag: jump, to: &leaves) }
    if run.entries > 1 { CompactNumber.append(run.entries - 2, to: &leaves) }
    nextPage = page &+ run.entries &* run.size
    nextPhysical = run.physical &+ (kinds[run.kind].isRepeated ? 0 : run.entries &* run.size)
  }

  private mutating func add(_ entry: SweptEntry, _ physical: PhysicalAddress, entries: UInt64, isRepeated: Bool) {
    guard !isFull else {
      isCutShort = true
      return
    }
    count &+= entries
    let kind = Kind(
      level: entry.level, rest: remainder(entry.descriptor.rawValue, physical), tables: entry.tables,
      isRepeated: isRepeated)
    let page = (entry.virtual.rawValue &- regime.firstAddress) >> shift
    let frame = physical.rawValue >> shift
    if let run, !isRepeated, kinds[run.kind] == kind, run.page &+ run.entries &* run.size == page,
      run.physical &+ run.entries &* run.size == frame
    {
      self.run?.entries += entries
      return
    }
    finish()
    guard let number = number(of: kind) else { return }
    run = Run(
      kind: number, page: page, physical: frame, size: 1 << (UInt64(entry.shift) - shift), entries: entries)
  }

  private mutating func number(of kind: Kind) -> Int? {
    if let known = kindNumbers[kind] { return known }
    guard kinds.count < Limits.drawnKinds else {
      isCutShort = true
      return nil
    }
    kindNumbers[kind] = kinds.count
    kinds.append(kind)
    return kinds.count - 1
  }

  private mutating func number(of rest: UInt64) -> Int? {
    if let known = tableKindNumbers[rest] { return known }
    guard tableKinds.count < Limits.drawnKinds else {
      isCutShort = true
      return nil
    }
    tableKindNumbers[rest] = tableKinds.count
    tableKinds.append(rest)
    return tableKinds.count - 1
  }

  /// `descriptor` without the bits of `address`, so that both together reconstruct it.
  private func remainder(_ descriptor: UInt64, _ address: PhysicalAddress) -> UInt64 {
    let format = regime.format
    let high = format.highMask == 0 ? 0 : address.rawValue >> format.highShift & format.highMask
    return descriptor ^ (address.rawValue & format.lowMask | high)
  }

  private mutating func note(_ what: String, _ entry: SweptEntry) {
    note(
      Oddity(
        what: what, first: entry.virtual.rawValue, last: entry.last, level: entry.level,
        descriptor: entry.descriptor.rawValue))
  }

  private mutating func note(_ oddity: Oddity) {
    if oddities.count < Limits.drawnOddities { oddities.append(oddity) } else { isCutShort = true }
  }
}
