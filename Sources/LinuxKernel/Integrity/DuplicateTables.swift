import Bytes
import KernelLayout
import VMSA

/// Duplicate tables: outside the linear map and the KASAN shadow no two tables of a kernel have the same entries, and
/// none is used twice, so one of a pair was probably overwritten.
struct DuplicateTables: Sendable {
  /// Each duplicate with a table that it equals; itself if it is used at two places.
  private let others: [PhysicalAddress: PhysicalAddress]

  /// Compares the tables of `regime` except those only for `excluded`; also with the tables of the linear map, whose
  /// offset is `linearOffset`, that map the same memory with their first entries.
  init(
    _ regime: TranslationRegime, in memory: any PhysicalMemory, limit: Int, linearOffset: UInt64?,
    without excluded: [AddressLayout.Span]
  ) {
    var collector = Collector(
      rootLevel: regime.startLevel, excluded: excluded, limit: Int(Limits.comparedTableBytes / regime.granule.size))
    _ = regime.sweep(in: memory, tableLimit: limit, observer: &collector)
    var others: [PhysicalAddress: PhysicalAddress] = [:]
    var seen: [UInt64: PhysicalAddress] = [:]
    /// The bytes of a table; nil if it is not in the dump.
    func bytes(_ table: PhysicalAddress) -> [UInt8]? {
      try? memory.bytes(at: table, count: Int(regime.granule.size))
    }
    /// The memory that a table's first valid entry leads to, following first entries down.
    func firstMemory(_ table: [UInt8], _ level: Int) -> PhysicalAddress? {
      for offset in stride(from: 0, to: table.count - 7, by: 8) {
        guard let raw = table.rawSpan.integer(UInt64.self, at: offset), raw != 0 else { continue }
        switch Descriptor(rawValue: raw).kind(level: level, format: regime.format) {
        case .block, .page: return regime.format.outputAddress(raw, shift: regime.granule.shift(level: level))
        case .table:
          let next = regime.format.outputAddress(raw, shift: regime.granule.pageShift)
          return level < 3 ? bytes(next).flatMap { firstMemory($0, level + 1) } : nil
        case .invalid, .reserved: return nil
        }
      }
      return nil
    }
    /// The linear map's table for the memory that `table` leads to first.
    func inLinearMap(_ table: [UInt8], _ level: Int) -> PhysicalAddress? {
      guard let linearOffset, let memoryBelow = firstMemory(table, level) else { return nil }
      var trace = WalkTrace()
      _ = regime.walk(VirtualAddress(memoryBelow.rawValue &+ linearOffset), in: memory, observer: &trace)
      return trace.steps.first { $0.level == level }?.table
    }
    for (table, use) in collector.tables.sorted(by: { $0.key < $1.key }) {
      guard let here = bytes(table), let hash = Self.hash(here) else { continue }
      if collector.shared.contains(table) { others[table] = table }
      if let other = seen[hash], bytes(other) == here {
        others[table] = other
        others[other] = table
      } else {
        seen[hash] = table
      }
      if let other = inLinearMap(here, use.level), other == table || bytes(other) == here { others[table] = other }
    }
    self.others = others
  }

  /// A table that `table` equals, itself if it is used at two places; nil if there is none.
  func other(_ table: PhysicalAddress) -> PhysicalAddress? { others[table] }

  /// The number of duplicate tables.
  var count: Int { others.count }

  /// The lowest of them.
  var first: PhysicalAddress? { others.keys.min() }

  /// nil if all entries are equal, as in an empty table, or one that maps a single page many times.
  private static func hash(_ bytes: [UInt8]) -> UInt64? {
    let words = bytes.rawSpan
    let first = words.integer(UInt64.self, at: 0)
    var isUniform = true
    // FNV-1a over words.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for offset in stride(from: 0, to: bytes.count - 7, by: 8) {
      let word = words.integer(UInt64.self, at: offset) ?? 0
      if word != first { isUniform = false }
      hash = (hash ^ word) &* 0x100_0000_01b3
    }
    return isUniform ? nil : hash
  }
}

/// Where each table is used.
private struct Collector: SweepObserver {
  let rootLevel: Int
  let excluded: [AddressLayout.Span]
  let limit: Int
  var tables: [PhysicalAddress: (level: Int, virtual: VirtualAddress)] = [:]
  var shared: Set<PhysicalAddress> = []

  init(rootLevel: Int, excluded: [AddressLayout.Span], limit: Int) {
    self.rootLevel = rootLevel
    self.excluded = excluded
    self.limit = limit
  }

  mutating func enter(_ table: SweptTable) -> Bool {
    guard table.level > rootLevel else { return true }
    let last = table.virtual.rawValue &+ (UInt64(table.entries) &<< UInt64(table.shift)) &- 1
    if excluded.contains(where: { $0.contains(table.virtual.rawValue) && $0.contains(last) }) { return false }
    if let first = tables[table.address] {
      if first.virtual != table.virtual { shared.insert(table.address) }
      return false
    }
    guard tables.count < limit else { return false }
    tables[table.address] = (table.level, table.virtual)
    // Nothing is below the last level.
    return table.level < 3
  }
}

extension WalkStep {
  /// The table that the entry is in.
  var table: PhysicalAddress {
    PhysicalAddress(address.rawValue &- UInt64(truncatingIfNeeded: index) &* 8)
  }
}
