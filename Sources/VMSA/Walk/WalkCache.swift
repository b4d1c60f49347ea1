/// The tables that a caller's recent walks visited, so that the next walk begins at the lowest one that it shares with
/// them: like the walk cache of a CPU. (Arm ARM, caching of translation table walks)
///
/// It is valid for one set of tables in one memory, and belongs to one caller, so there is no lock.
///
/// Safety: the slots are all set when this is made, and freed with it; levels are 0 to 3 and prefixes are masked to the
/// slots of a level. An observer is made for one walk, during which the caller holds this object.
@safe
public final class WalkCache {
  /// A table and the addresses that it translates.
  @usableFromInline
  struct Slot {
    /// The common upper bits of the addresses that the table translates.
    @usableFromInline var prefix: UInt64
    @usableFromInline var table: WalkTable
    @inlinable init(prefix: UInt64, table: WalkTable) {
      self.prefix = prefix
      self.table = table
    }
  }

  /// Tables kept per level: those of adjacent addresses do not evict each other.
  @usableFromInline static var perLevel: Int { 64 }

  /// The slots of levels 0 to 3, in order: no table below a root has another level.
  @usableFromInline let slots: UnsafeMutablePointer<Slot>

  /// An empty cache.
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

  /// The observer of a walk for it.
  @inlinable
  var observer: Observer { unsafe Observer(slots: slots) }

  /// The slots without a reference to the owner, which saves reference counting.
  @safe @usableFromInline
  struct Observer: WalkObserver {
    @usableFromInline let slots: UnsafeMutablePointer<Slot>

    @inlinable
    init(slots: UnsafeMutablePointer<Slot>) { unsafe self.slots = slots }

    /// The slot of the table of `level` for the addresses with `prefix`.
    @inlinable @inline(__always)
    func slot(_ level: Int, _ prefix: UInt64) -> UnsafeMutablePointer<Slot> {
      unsafe slots + (level &* perLevel &+ Int(truncatingIfNeeded: prefix & UInt64(perLevel &- 1)))
    }

    @inlinable @inline(__always)
    func knownTable(for address: VirtualAddress, in regime: TranslationRegime) -> WalkTable? {
      var level = 3
      // log2 of what an entry of the parent table translates.
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
