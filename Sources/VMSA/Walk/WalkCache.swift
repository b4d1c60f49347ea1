/// The tables that a caller's walks went through lately, so that the next walk begins at the lowest one that it
/// shares with them: the walk cache that a CPU has beside its TLB. (Arm ARM, caching of translation table walks)
///
/// It holds for one set of tables in one memory. It is of one caller, so that there is no lock.
///
/// Safety: the slots are all set when this is made, and freed with it; levels are 0 to 3 and prefixes cut to the slots
/// of a level. An observer is made for one walk, during which the caller holds this.
@safe
public final class WalkCache {
  /// A table and what it is for.
  @usableFromInline
  struct Slot {
    /// The upper bits that the addresses have in common which the table translates.
    @usableFromInline var prefix: UInt64
    @usableFromInline var table: WalkTable
    @inlinable init(prefix: UInt64, table: WalkTable) {
      self.prefix = prefix
      self.table = table
    }
  }

  /// Tables of one level that are kept: those of neighbouring addresses do not displace each other.
  @usableFromInline static var perLevel: Int { 64 }

  /// Those of level 0, then those of level 1, and so on to level 3: no table below a root is of another.
  @usableFromInline let slots: UnsafeMutablePointer<Slot>

  /// Knows no table.
  package init() {
    let count = 4 * Self.perLevel
    unsafe slots = .allocate(capacity: count)
    unsafe slots.initialize(
      repeating: Slot(
        prefix: .max, table: WalkTable(address: PhysicalAddress(0), level: 0, attributes: [])),
      count: count)
  }

  deinit {
    unsafe slots.deallocate()
  }

  /// What follows a walk for it.
  @inlinable
  var observer: Observer { unsafe Observer(slots: slots) }

  /// The slots without a reference to who keeps them, which a walk need not count.
  @safe @usableFromInline
  struct Observer: WalkObserver {
    @usableFromInline let slots: UnsafeMutablePointer<Slot>

    @inlinable
    init(slots: UnsafeMutablePointer<Slot>) { unsafe self.slots = slots }

    /// Where the table of `level` for the addresses with `prefix` is kept.
    @inlinable @inline(__always)
    func slot(_ level: Int, _ prefix: UInt64) -> UnsafeMutablePointer<Slot> {
      unsafe slots + (level &* perLevel &+ Int(truncatingIfNeeded: prefix & UInt64(perLevel &- 1)))
    }

    @inlinable @inline(__always)
    func knownTable(for address: VirtualAddress, in regime: TranslationRegime) -> WalkTable? {
      var level = 3
      // What an entry of the table above stands for.
      var shift = regime.granule.shift(level: 2)
      let last = regime.startLevel
      while level > last {
        let prefix = address.rawValue &>> UInt64(truncatingIfNeeded: shift)
        let slot = unsafe slot(level, prefix)
        if unsafe slot.pointee.prefix == prefix { return unsafe slot.pointee.table }
        level &-= 1
        shift &+= regime.granule.indexBits
      }
      return nil
    }

    @inlinable @inline(__always)
    func enter(_ table: WalkTable, for address: VirtualAddress, shift: Int) {
      let prefix = address.rawValue &>> UInt64(truncatingIfNeeded: shift)
      unsafe slot(table.level, prefix).pointee = Slot(prefix: prefix, table: table)
    }
  }
}
