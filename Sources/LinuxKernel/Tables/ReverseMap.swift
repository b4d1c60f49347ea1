import KernelLayout
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
  /// Whose tables map it; nil for the kernel's.
  public let task: KernelTask?
}

extension Kernel {
  /// Every virtual address that maps `physical`, in order.
  ///
  /// - Parameter task: the process whose tables are looked through; nil for the kernel's.
  public func reverseMap(
    _ physical: PhysicalAddress, task: KernelTask? = nil, _ body: @escaping (ReverseMapping) -> Void
  ) -> (result: SweepResult, problems: SweepProblems) {
    let user = task.flatMap { $0.root.map { userRegime(root: $0) } }
    let map = user.map { RegionMap(nil, image: nil, first: $0.firstAddress) } ?? namedRegions
    var seeker = FrameSeeker(physical: physical, map: map, task: task, body: body)
    let result = sweep(of: user, &seeker)
    if user == nil { seeker.problems.note(plausible.twins.value) }
    return (result, seeker.problems)
  }

  /// A task for each address space that there is: threads share one.
  public var addressSpaces: [KernelTask] {
    var seen: Set<UInt64> = []
    return tasks.elements.filter { task in task.root != nil && task.mm.map { seen.insert($0).inserted } ?? false }
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
