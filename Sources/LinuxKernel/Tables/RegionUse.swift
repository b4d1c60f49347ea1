import KernelLayout
import VMSA

/// A region of the kernel, and how much of it is mapped.
public struct RegionUse: Sendable {
  /// The row of the layout.
  public let row: LayoutRow
  /// Bytes mapped there; nil for user space, which the kernel's tables do not translate. Mappings in the kernel image
  /// or in a region of higher precedence are counted there.
  public let mapped: UInt64?
  /// The source of the bounds, as text.
  public let source: String
}

/// The regions of the kernel in address order.
public struct RegionListing: Sendable {
  /// The regions. Those inside another follow it.
  public let regions: [RegionUse]
  /// The result of the pass over the tables.
  public let report: SweepReport
}

extension RegionUse {
  /// The layout of the kernel and what is mapped in each region; nil if the layout is unknown.
  static func all(
    of context: KernelContext, _ checks: EntryChecks
  ) -> RegionListing? {
    guard let bounds = context.layout.layout else { return nil }
    let userBits = UserTables(context).bits
    let image = context.image.addresses(context.regime, in: context.dump)
    let map = RegionMap(bounds, image: image, first: context.regime.firstAddress)
    var counter = RegionCounter(map: map, checks: checks)
    let result = context.sweep(nil, &counter)
    counter.finishPiece()
    var rows = bounds.rows(userBits: userBits.value)
    if let image {
      let row = LayoutRow(.kernelImage, AddressLayout.Span(image.lowerBound, image.upperBound &+ 1))
      let place = rows.lastIndex { $0.span.start <= image.lowerBound } ?? 0
      rows.insert(row, at: place + 1)
    }
    let uses = rows.map { row in
      let inside = counter.mapped.reduce(UInt64(0)) { sum, piece in
        let isInside = piece.key.region == row.region && row.span.contains(piece.key.first)
        return isInside ? sum &+ piece.value : sum
      }
      return RegionUse(
        row: row, mapped: row.region == .user ? nil : inside, source: source(of: row.region, context, userBits))
    }
    counter.problems.note(checks.twins.value)
    return RegionListing(regions: uses, report: SweepReport(result: result, problems: counter.problems))
  }

  private static func source(of region: Region, _ context: KernelContext, _ userBits: Sourced<Int>) -> String {
    switch region {
    case .user: return userBits.source
    case .kernelImage:
      return context.image.symbols == nil
        ? "the tables, which map it at kimage_voffset around _stext" : "the symbols _text and _end"
    default:
      if let line = context.layout.linesOfVMCoreInfo[region] { return "VMCOREINFO \(line)" }
      guard let era = context.layout.era else { return context.layout.evidence }
      return "the layout of Linux \(era.name), by \(context.layout.evidence)"
    }
  }
}

/// Sums up what is mapped in each piece.
private struct RegionCounter: SweepObserver {
  let map: RegionMap
  var mapped: [RegionMap.Piece: UInt64] = [:]
  var problems = SweepProblems()
  /// The piece of the last entry, and its sum so far.
  var piece = RegionMap.Piece(first: 0, last: 0)
  var sum: UInt64 = 0
  private let checks: EntryChecks
  private let linearOffset: UInt64?
  /// The expected offset of the piece from physical addresses, under a mask: all bits in the linear map, none
  /// elsewhere.
  private var offset: UInt64 = 0
  private var offsetBits: UInt64 = 0

  init(map: RegionMap, checks: EntryChecks) {
    self.map = map
    self.checks = checks
    linearOffset = checks.linearOffset
  }

  /// Adds `bytes` that `entry` maps, and counts the entry if Linux never writes it, or not there.
  @inline(__always)
  private mutating func add(_ entry: SweptEntry, _ physical: PhysicalAddress, _ bytes: UInt64) {
    let address = entry.virtual.rawValue
    if !piece.contains(address) { begin(map.piece(at: address)) }
    sum &+= bytes
    let misplaced = (address &- physical.rawValue ^ offset) & offsetBits
    if misplaced != 0 || !checks.isLeaf(entry.descriptor.rawValue) { problems.odd &+= 1 }
  }

  private mutating func begin(_ next: RegionMap.Piece) {
    finishPiece()
    piece = next
    offset = linearOffset ?? 0
    offsetBits = linearOffset != nil && next.region == .linearMap ? .max : 0
  }

  mutating func finishPiece() {
    if sum > 0 { mapped[piece, default: 0] &+= sum }
    sum = 0
  }

  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    add(entry, physical, entry.size)
  }
  mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {
    add(entry, physical, last &- entry.virtual.rawValue &+ 1)
  }
  mutating func missing(_ table: SweptTable, _ virtual: VirtualAddress, count: Int, _ fault: MemoryFault) {
    problems.note(table, count: count, fault)
  }
  mutating func invalid(_ entry: SweptEntry) {
    if !checks.isLeaf(entry.descriptor.rawValue) { problems.odd += 1 }
  }
  mutating func corrupt(_ entry: SweptEntry, _ what: WalkResult.Corruption) { problems.corrupt += 1 }
}
