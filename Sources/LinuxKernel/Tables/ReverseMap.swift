import KernelLayout
import VMSA

/// A virtual address, or a run of them, that maps a physical address.
public struct ReverseMapping: Sendable {
  /// The address.
  public let virtual: VirtualAddress
  /// The last address of a run of entries that all map it, one per page (the KASAN shadow); nil for a single address.
  public let through: UInt64?
  /// The entry.
  public let entry: SweptEntry
  /// Its region.
  public let region: Region?
  /// The task whose tables map it; nil for the kernel's.
  public let task: KernelTask?
}

extension ReverseMapping {
  /// Every virtual address that maps `physical`, in order.
  ///
  /// - Parameters:
  ///   - task: the process whose tables are searched; nil for the kernel's.
  ///   - user: the tables of `task`, searched instead of the kernel's.
  ///   - map: the regions of the addresses.
  static func forEach(
    of physical: PhysicalAddress, in context: KernelContext, task: KernelTask?, user: TranslationRegime?,
    _ map: RegionMap, _ checks: EntryChecks, _ body: @escaping (ReverseMapping) -> Void
  ) -> SweepReport {
    var seeker = FrameSeeker(physical: physical, map: map, task: task, body: body)
    let result = context.sweep(of: user, &seeker)
    if user == nil { seeker.problems.note(checks.twins.value) }
    return SweepReport(result: result, problems: seeker.problems)
  }
}

private struct FrameSeeker: SweepObserver {
  let physical: PhysicalAddress
  let map: RegionMap
  let task: KernelTask?
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
        virtual: virtual, through: through, entry: entry,
        region: task == nil ? map.piece(at: entry.virtual.rawValue).region : .user, task: task))
  }

  mutating func missing(_ table: SweptTable, _ virtual: VirtualAddress, count: Int, _ fault: MemoryFault) {
    problems.note(table, count: count, fault)
  }

  mutating func corrupt(_ entry: SweptEntry, _ what: WalkResult.Corruption) { problems.corrupt += 1 }
}
