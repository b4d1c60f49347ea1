import Bytes
import KernelLayout
import VMSA

/// Adjacent addresses mapped by entries of the same level with the same attributes.
public struct MappedRange: Sendable {
  /// The first address.
  public let first: UInt64
  /// The last address.
  public fileprivate(set) var last: UInt64
  /// The physical address of the first.
  public let physical: PhysicalAddress
  /// Whether the physical addresses are consecutive, too.
  public fileprivate(set) var isConsecutive = true
  /// The level of the entries: -1 to 3.
  public let level: Int
  /// The first entry. The others differ from it in the address and in bits that the kernel does not show.
  public let descriptor: Descriptor
  /// The region that the first address lies in; nil if the layout is unknown.
  public let region: Region?

  /// Its size in bytes.
  public var size: UInt64 { last &- first &+ 1 }

  /// The bits that separate ranges: those that the kernel's own listing shows. (`pte_bits`, arch/arm64/mm/ptdump.c)
  static let shownBits: Descriptor.Bits = [
    .valid, .ap1, .ap2, .pxn, .sh, .af, .nG, .contiguous, .table, .uxn, .gp, .attrIndx,
  ]
}

extension MappedRange {
  /// Calls `body` with every mapping in `range`. Adjacent ones with the same visible attributes are merged, but split
  /// at region bounds.
  ///
  /// - Parameters:
  ///   - context: the kernel whose tables are listed.
  ///   - map: its regions.
  ///   - user: tables of user space or of the hypervisor to list instead of the kernel's.
  /// - Returns: the result of the pass, with counts of unreadable tables and malformed entries.
  static func forEach(
    _ range: ClosedRange<UInt64>?, of context: KernelContext, user: TranslationRegime?, in map: RegionMap,
    _ checks: EntryChecks, _ body: @escaping (MappedRange) -> Void
  ) -> SweepReport {
    let whole: Region? = user.map { $0.register == .ttbr0EL2 ? .hypervisor : .user }
    var merger = RangeMerger(map: map, whole: whole, body: body)
    let result = context.sweep(range, of: user, &merger)
    merger.flush()
    if user == nil { merger.problems.note(checks.twins.value) }
    return SweepReport(result: result, problems: merger.problems)
  }
}

/// The result of a pass over a set of tables.
public struct SweepReport: Hashable, Sendable {
  /// The number of tables read, and whether the pass was cut short.
  public let result: SweepResult
  /// What was unreadable or malformed.
  public let problems: SweepProblems
}

/// What a pass over tables could not read, or found damaged.
public struct SweepProblems: Hashable, Sendable {
  /// Bytes of address space whose tables could not be read.
  public internal(set) var unreadable: UInt64 = 0
  /// Tables that could not be read, in whole or in part.
  public internal(set) var tables = 0
  /// Those among them that were filtered out when the dump was written.
  package internal(set) var filtered = 0
  /// The last of them, whose parts are reported one after another.
  private var last: PhysicalAddress?
  /// The first of those tables.
  package internal(set) var fault: MemoryFault?
  /// Malformed entries.
  public internal(set) var corrupt = 0
  /// Entries that Linux never writes, if they were checked for.
  package internal(set) var odd = 0
  /// Kernel tables with identical contents, one of which was probably overwritten.
  package internal(set) var twins = 0
  /// The first of those tables.
  package internal(set) var firstTwin: PhysicalAddress?

  /// Records the duplicate tables.
  mutating func note(_ tables: DuplicateTables) {
    twins = tables.count
    firstTwin = tables.first
  }

  /// Counts `count` entries of `table` that cannot be read.
  mutating func note(_ table: SweptTable, count: Int, _ fault: MemoryFault) {
    unreadable &+= UInt64(truncatingIfNeeded: count) &<< UInt64(truncatingIfNeeded: table.shift)
    if self.fault == nil { self.fault = fault }
    guard last != table.address else { return }
    last = table.address
    tables += 1
    if fault.absence == .filtered { filtered += 1 }
  }
}

/// Merges the entries of a sweep into ranges.
private struct RangeMerger: SweepObserver {
  let map: RegionMap
  /// The region of all that is listed, where it is one.
  let whole: Region?
  let body: (MappedRange) -> Void
  var current: MappedRange?
  var piece: RegionMap.Piece?
  var problems = SweepProblems()

  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    let virtual = entry.virtual.rawValue
    if let range = current, range.last &+ 1 == virtual, range.level == entry.level,
      range.descriptor.bits.symmetricDifference(entry.descriptor.bits).isDisjoint(with: MappedRange.shownBits),
      piece?.contains(virtual) ?? true
    {
      if range.physical &+ (virtual &- range.first) != physical { current?.isConsecutive = false }
      current?.last = entry.last
      return
    }
    flush()
    if whole == nil, piece?.contains(virtual) != true { piece = map.piece(at: virtual) }
    current = MappedRange(
      first: virtual, last: entry.last, physical: physical, level: entry.level, descriptor: entry.descriptor,
      region: whole ?? piece?.region)
  }

  mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {
    leaf(entry, physical)
    current?.isConsecutive = false
    current?.last = last
  }

  mutating func corrupt(_ entry: SweptEntry, _ what: WalkResult.Corruption) { problems.corrupt += 1 }

  mutating func missing(_ table: SweptTable, _ virtual: VirtualAddress, count: Int, _ fault: MemoryFault) {
    problems.note(table, count: count, fault)
  }

  mutating func flush() {
    if let current { body(current) }
    current = nil
  }
}
