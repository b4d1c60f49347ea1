/// The tables that a caller's walks went through lately, so that the next walk begins at the lowest one that it
/// shares with them: the walk cache that a CPU has beside its TLB. (Arm ARM, caching of translation table walks)
///
/// It holds for one set of tables in one memory. It is a value of one caller, so that there is no lock.
@frozen
public struct WalkCache: WalkObserver, Sendable {
  /// Tables of one level that are kept: those of neighbouring addresses do not displace each other.
  @usableFromInline static var slots: Int { 8 }

  /// For each level from 0 to 3, in each slot: the addresses that the table is for, as their common upper bits.
  @usableFromInline var prefixes = [32 of UInt64](repeating: .max)
  @usableFromInline var tables = [32 of UInt64](repeating: 0)
  @usableFromInline var attributes = [32 of UInt64](repeating: 0)

  /// Knows no table.
  @inlinable public init() {}

  /// Where the table of `level` for the addresses with `prefix` is kept.
  @inlinable @inline(__always)
  static func slot(_ level: Int, _ prefix: UInt64) -> Int {
    (level &* slots &+ Int(truncatingIfNeeded: prefix & UInt64(slots &- 1))) & 31
  }

  @inlinable @inline(__always)
  public mutating func knownTable(for address: VirtualAddress, in regime: TranslationRegime) -> WalkTable? {
    var level = 3
    // What an entry of the table above stands for.
    var shift = regime.granule.shift(level: 2)
    let last = regime.startLevel
    while level > last {
      let prefix = address.rawValue &>> UInt64(truncatingIfNeeded: shift)
      let slot = Self.slot(level, prefix)
      if prefixes[slot] == prefix {
        return WalkTable(
          address: PhysicalAddress(tables[slot]), level: level, attributes: TableAttributes(rawValue: attributes[slot]))
      }
      level &-= 1
      shift &+= regime.granule.indexBits
    }
    return nil
  }

  @inlinable @inline(__always)
  public mutating func enter(_ table: WalkTable, for address: VirtualAddress, shift: Int) {
    let prefix = address.rawValue &>> UInt64(truncatingIfNeeded: shift)
    let slot = Self.slot(table.level, prefix)
    prefixes[slot] = prefix
    tables[slot] = table.address.rawValue
    attributes[slot] = table.attributes.rawValue
  }
}
