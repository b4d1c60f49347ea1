import Bytes
import VMSA

/// Tables that were written over others: outside the linear map and KASAN's shadow no two tables of a kernel have the
/// same entries, and none is used at two places.
struct TableTwins: Sendable {
  /// Each with one that it is equal to; itself where it is used at two places.
  private let others: [PhysicalAddress: PhysicalAddress]

  /// Compares the tables of `regime` but those for `excluded` alone.
  init(_ regime: TranslationRegime, in memory: any PhysicalMemory, limit: Int, without excluded: [AddressLayout.Span]) {
    var collector = Collector(
      rootLevel: regime.startLevel, excluded: excluded, limit: Int(Limits.comparedTableBytes / regime.granule.size))
    _ = regime.sweep(in: memory, tableLimit: limit, observer: &collector)
    var others = collector.shared
    var seen: [UInt64: PhysicalAddress] = [:]
    for table in collector.tables.keys.sorted() {
      guard let bytes = Self.bytes(table, regime, memory), let hash = Self.hash(bytes) else { continue }
      guard let other = seen[hash] else {
        seen[hash] = table
        continue
      }
      if Self.bytes(other, regime, memory) == bytes {
        others[table] = other
        others[other] = table
      }
    }
    self.others = others
  }

  /// A table that `table` is equal to; nil where there is none.
  func other(_ table: PhysicalAddress) -> PhysicalAddress? { others[table] }

  /// The bytes of a table; nil where it is not in the dump.
  static func bytes(
    _ table: PhysicalAddress, _ regime: TranslationRegime, _ memory: any PhysicalMemory
  ) -> [UInt8]? {
    try? memory.bytes(at: table, count: Int(regime.granule.size))
  }

  /// nil where all entries are equal, as in an empty table, and in one for memory that is there once for many.
  private static func hash(_ bytes: [UInt8]) -> UInt64? {
    let words = bytes.rawSpan
    let first = words.integer(UInt64.self, at: 0)
    var isUniform = true
    // FNV-1a, by words.
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
  var tables: [PhysicalAddress: VirtualAddress] = [:]
  var shared: [PhysicalAddress: PhysicalAddress] = [:]

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
      if first != table.virtual { shared[table.address] = table.address }
      return false
    }
    guard tables.count < limit else { return false }
    tables[table.address] = table.virtual
    // Nothing is below the last level.
    return table.level < 3
  }
}
