import VMSA

/// Virtual addresses that map one physical address.
public struct ReverseMapping: Sendable {
  /// The address.
  public let virtual: VirtualAddress
  /// The last address of a run of entries that all map it, one a page (KASAN's shadow); nil for one address.
  public let through: UInt64?
  /// The entry.
  public let entry: SweptEntry
  /// Where it lies.
  public let region: Region?
}

extension Kernel {
  /// Every virtual address of the kernel's tables that maps `physical`, in order.
  public func reverseMap(
    _ physical: PhysicalAddress, _ body: @escaping (ReverseMapping) -> Void
  ) -> (result: SweepResult, problems: SweepProblems) {
    let map = RegionMap(layout.layout, image: imageSpan(), first: regime.firstAddress)
    var seeker = FrameSeeker(physical: physical, map: map, body: body)
    let result = sweep(nil, &seeker)
    return (result, seeker.problems)
  }
}

private struct FrameSeeker: SweepObserver {
  let physical: PhysicalAddress
  let map: RegionMap
  let body: (ReverseMapping) -> Void
  var problems = SweepProblems()

  @inline(__always)
  mutating func leaf(_ entry: SweptEntry, _ start: PhysicalAddress) {
    guard physical.rawValue &- start.rawValue < entry.size else { return }
    found(entry, start, nil)
  }

  mutating func repeated(_ entry: SweptEntry, _ start: PhysicalAddress, through last: UInt64) {
    guard physical.rawValue &- start.rawValue < entry.size else { return }
    found(entry, start, last)
  }

  @inline(never)
  private func found(_ entry: SweptEntry, _ start: PhysicalAddress, _ through: UInt64?) {
    let virtual = entry.virtual &+ (physical.rawValue &- start.rawValue)
    body(
      ReverseMapping(
        virtual: virtual, through: through, entry: entry, region: map.piece(at: entry.virtual.rawValue).region))
  }

  mutating func missing(_ table: SweptTable, _ virtual: VirtualAddress, count: Int, _ fault: MemoryFault) {
    problems.note(table, count: count, fault)
  }
}
