import VMSA

/// A group of entries that a TLB may cache as one: complete, in order, and with equal attributes. (Arm ARM D8.6.1)
struct ContiguousGroup {
  var start: UInt64 = 0
  var last: UInt64 = 0
  var level = -2
  var first: SweptEntry?
  var physical: UInt64 = 0
  var count = 0
  var contiguous = 0
  var isAlike = true
  /// The number of entries of a complete group.
  var whole = 0
}

/// The Contiguous bit: checks that groups are complete and consistent.
extension Auditor {
  /// Which bits of neighbours may differ: the address, and what hardware sets on its own (AF; AP[2] under DBM).
  private func differ(_ a: Descriptor, _ b: Descriptor) -> Bool {
    var ignored = context.format.addressBits.union([.af, .software])
    if a.has(.dbm) { ignored.insert(.ap2) }
    return !a.bits.symmetricDifference(b.bits).isSubset(of: ignored)
  }

  mutating func contiguous(_ entry: SweptEntry, _ physical: PhysicalAddress, isRepeated: Bool) {
    endGroup(unless: entry)
    let isContiguous = Attributes(entry.descriptor).isContiguous
    let whole = context.kernel.regime.granule.contiguousEntries(level: entry.level)
    guard whole > 0 else {
      if isContiguous { broken(entry, "its level has no contiguous groups") }
      return
    }
    if isRepeated {
      if isContiguous { broken(entry, "its neighbours map the same memory") }
      return
    }
    if group.first == nil {
      let size = UInt64(whole) &<< UInt64(entry.shift)
      let start = entry.virtual.rawValue & ~(size &- 1)
      group = ContiguousGroup(
        start: start, last: start &+ (size &- 1), level: entry.level, first: entry, physical: physical.rawValue,
        whole: whole)
      group.isAlike = entry.virtual.rawValue != start || physical.rawValue & (size &- 1) == 0
    } else if let first = group.first {
      let isNext = physical.rawValue &- group.physical == entry.virtual.rawValue &- first.virtual.rawValue
      if !isNext || differ(first.descriptor, entry.descriptor) { group.isAlike = false }
    }
    group.count += 1
    if isContiguous { group.contiguous += 1 }
  }

  /// Checks the group collected so far, unless `entry` belongs to it.
  mutating func endGroup(unless entry: SweptEntry?) {
    guard let first = group.first else { return }
    if let entry, entry.level == group.level, entry.virtual.rawValue >= group.start,
      entry.virtual.rawValue <= group.last
    {
      return
    }
    let isBroken =
      group.contiguous > 0 && (group.count != group.whole || !group.isAlike || group.contiguous != group.whole)
    let gathered = group
    group = ContiguousGroup()
    guard isBroken else { return }
    add(
      .contiguousBroken, gathered.start, gathered.last,
      "\(gathered.contiguous) of \(gathered.count) entries have the Contiguous bit, where a group has "
        + "\(gathered.whole), alike and in order: the TLB may answer wrongly",
      [(first.virtual.rawValue, first.level)])
  }

  private mutating func broken(_ entry: SweptEntry, _ why: String) {
    add(
      .contiguousBroken, entry.virtual.rawValue, entry.last, "the Contiguous bit is set, but \(why)",
      [(entry.virtual.rawValue, entry.level)])
  }
}
