import Bytes
import VMSA

/// The second pass of an audit: checks each entry against those of a healthy kernel.
struct Auditor: SweepObserver {
  let context: AuditContext
  private let readOnly: ClaimIndex
  private let special: ClaimIndex
  private(set) var report = AuditReport()
  private var oddities: [KnownOddity.Code: (first: UInt64, last: UInt64, bytes: UInt64, count: Int)] = [:]
  /// The finding of each kind that the next entry may extend.
  private var open: [(code: Finding.Code, index: Int)] = []
  private var isFull = false
  /// The level of each table read, and the first address for which it was read.
  private var seen: [UInt64: (level: Int, virtual: UInt64)] = [:]
  var group = ContiguousGroup()
  private var piece: RegionMap.Piece
  /// The next address not yet seen mapped, in the linear map and in the image.
  private var linearNext: UInt64
  private var imageNext: UInt64

  init(context: AuditContext, survey: AuditSurvey) {
    self.context = context
    readOnly = ClaimIndex(survey.readOnly)
    special = ClaimIndex(survey.special)
    piece = context.map.piece(at: context.kernel.regime.firstAddress)
    linearNext = context.linear?.lowerBound ?? 0
    imageNext = context.image?.lowerBound ?? 0
    if survey.isIncomplete {
      report.unchecked.append(
        Diagnostic(
          .notChecked, "memory types", "there are more device mappings than can be compared: memory types in part"))
    }
    if context.types == nil {
      report.unchecked.append(
        Diagnostic(.notChecked, "memory types", "MAIR_EL1 does not follow from this kernel: memory types"))
    }
    if context.ram.isEmpty {
      report.unchecked.append(
        Diagnostic(.notChecked, "RAM", "the dump does not describe all RAM: addresses outside of it"))
    }
    if context.linearOffset == nil {
      report.unchecked.append(
        Diagnostic(.notChecked, "linear map", "PHYS_OFFSET or the layout is not known: the linear map"))
    }
    if context.image == nil {
      report.unchecked.append(
        Diagnostic(.notChecked, "kernel image", "the kernel image cannot be found: its text and offset"))
    }
    if context.freePages == nil {
      report.unchecked.append(
        Diagnostic(.notChecked, "free pages", "VMCOREINFO does not describe struct page: whether table pages are free"))
    }
  }

  // MARK: - Tables

  mutating func enter(_ table: SweptTable) -> Bool {
    let here = table.virtual.rawValue
    if let before = seen[table.address.rawValue] {
      if before.level != table.level {
        add(
          .tableAtTwoLevels, here, last(of: table),
          "the table at \(hex(table.address.rawValue)) is used at level \(table.level) here and at level "
            + "\(before.level) for \(hex(before.virtual)): a loop or an overwritten entry",
          [(here, table.level - 1), (before.virtual, before.level - 1)])
        return false
      }
      if context.map.piece(at: here).region == .kasanShadow {
        note(.sharedShadow, here, last(of: table))
        return true
      }
      add(
        .tableShared, here, last(of: table),
        "the table at \(hex(table.address.rawValue)) of level \(table.level) serves \(hex(before.virtual)) as well",
        [(here, table.level - 1), (before.virtual, before.level - 1)])
      return false
    }
    seen[table.address.rawValue] = (table.level, here)
    if table.parent != nil, context.freePages?.isFree(table.address.rawValue >> context.pageShift) == true {
      add(
        .tableFree, here, last(of: table),
        "the table at \(hex(table.address.rawValue)) of level \(table.level) is on a page that is free by its "
          + "struct page: used after it was freed", [(here, table.level - 1)])
    }
    return true
  }

  mutating func missing(_ table: SweptTable, _ virtual: VirtualAddress, count: Int, _ fault: MemoryFault) {
    let here = virtual.rawValue
    let end = here &+ (UInt64(count) &<< UInt64(table.shift)) &- 1
    let what = "the table at \(hex(table.address.rawValue)) of level \(table.level)"
    let dump = context.kernel.dump
    switch fault.absence {
    case .notInDump:
      let cause = context.ram.isEmpty ? "is not in the dump" : "is not RAM: an overwritten entry"
      add(.tableOutsideRAM, here, end, "\(what) \(cause)", [(here, table.level - 1)])
    case .filtered:
      add(
        .tableFree, here, end,
        "\(what) was left out of the dump, whose writer took it for a free, cached or user page",
        [(here, table.level - 1)])
    default:
      add(
        .tableUnreadable, here, end, "\(what) cannot be read: \(dump.describe(fault))",
        [(here, table.level - 1)])
    }
  }

  mutating func corrupt(_ entry: SweptEntry, _ what: WalkResult.Corruption) {
    let here = entry.virtual.rawValue
    let bits = context.kernel.outputs.value.applied(to: context.kernel.regime).physicalBits
    switch what {
    case .reservedEncoding:
      add(
        .reservedEncoding, here, entry.last,
        "the entry \(hex(entry.descriptor.rawValue)) at level \(entry.level) has an encoding without meaning: "
          + "overwritten memory", [(here, entry.level)])
    case .addressOutOfRange(let target):
      add(
        .addressOutOfRange, here, entry.last,
        "the entry at level \(entry.level) points to \(hex(target.rawValue)), beyond the "
          + "\(bits) bits of physical addresses: overwritten memory",
        [(here, entry.level)])
    }
  }

  mutating func invalid(_ entry: SweptEntry) {
    endGroup(unless: entry)
    if context.linear?.contains(entry.virtual.rawValue) == true {
      let isData = context.linearOffset.map { context.isKernelData(entry.virtual.rawValue &- $0.value) } ?? false
      note(isData ? .dataAliasUnmapped : .linearInvalid, entry.virtual.rawValue, entry.last)
      linearNext = entry.last &+ 1
    }
  }

  // MARK: - Leaves

  mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {
    check(entry, physical, through: last, isRepeated: true)
  }

  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    check(entry, physical, through: entry.last, isRepeated: false)
  }

  private mutating func check(
    _ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64, isRepeated: Bool
  ) {
    let here = entry.virtual.rawValue
    if !piece.contains(here) { piece = context.map.piece(at: here) }
    let attributes = Attributes(entry.descriptor, tables: entry.tables)
    permissions(attributes, entry, through: last)
    if attributes.isWritable,
      let claim = readOnly.overlapping(
        physical.rawValue, physical.rawValue &+ (entry.size &- 1), where: { $0.virtual != here })
    {
      let other = address(of: claim, at: physical.rawValue)
      add(
        .textWritable, here, last,
        "\(hex(physical.rawValue)) is the kernel's text or read-only data, at \(hex(other)), and may be written here",
        [(here, entry.level), (other, nil)])
    }
    memoryType(entry, physical, through: last)
    place(entry, physical, through: last)
    contiguous(entry, physical, isRepeated: isRepeated)
    arithmetic(entry, physical, attributes, through: last, isRepeated: isRepeated)
  }

  private mutating func permissions(_ attributes: Attributes, _ entry: SweptEntry, through last: UInt64) {
    let here = entry.virtual.rawValue
    if attributes.isWritable, attributes.isExecutableEL1 {
      add(.writableExecutable, here, last, "the kernel may write and execute it", [(here, entry.level)])
    }
    if attributes.isExecutableEL0 {
      add(
        .userExecutable, here, last, "user space may execute it: UXN is clear in a kernel mapping",
        [(here, entry.level)])
    }
    if attributes.isUser {
      add(
        .userAccessible, here, last, "user space may access it: AP[1] is set in a kernel mapping",
        [(here, entry.level)])
    }
  }

  /// A frame must not be cached in one mapping and uncached in another. (Arm ARM B2.16, mismatched attributes)
  private mutating func memoryType(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {
    guard let kind = context.kind(entry.descriptor) else { return }
    let here = entry.virtual.rawValue
    let end = physical.rawValue &+ (entry.size &- 1)
    // Each pair is reported once, from its cached side; two device mappings only if they are RAM.
    guard kind == .cached || context.isRAM(physical, entry.size) else { return }
    guard
      let claim = special.overlapping(
        physical.rawValue, end, where: { $0.kind != kind && (kind == .cached || $0.virtual > here) })
    else { return }
    let other = address(of: claim, at: physical.rawValue)
    let otherRegion = context.map.piece(at: other).region
    if claim.kind == .uncached, piece.region == .linearMap, otherRegion == .vmalloc {
      note(.uncachedBuffer, here, last)
      return
    }
    let name = claim.kind == .device ? "a device's memory" : "memory without caches"
    add(
      .memoryTypeConflict, here, last,
      "\(hex(physical.rawValue)) is mapped with another memory type at \(hex(other)), as \(name): "
        + "the two may see different contents", [(here, entry.level), (other, nil)])
  }

  private mutating func place(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {
    guard !context.ram.isEmpty, !context.isRAM(physical, entry.size), let kind = context.kind(entry.descriptor),
      kind == .cached
    else { return }
    let here = entry.virtual.rawValue
    if context.isBetweenRAM(physical) {
      note(.reservedMemory, here, last)
      return
    }
    add(
      .outsideRAM, here, last,
      "\(hex(physical.rawValue)) is mapped as memory, but the dump has no RAM near it: an overwritten entry, or "
        + "firmware's memory that was not dumped", [(here, entry.level)])
  }

  private mutating func arithmetic(
    _ entry: SweptEntry, _ physical: PhysicalAddress, _ attributes: Attributes, through last: UInt64,
    isRepeated: Bool
  ) {
    let here = entry.virtual.rawValue
    if let linear = context.linear, linear.contains(here) {
      linearGap(to: here)
      linearNext = last &+ 1
      if let offset = context.linearOffset {
        let expected = here &- offset.value
        if expected != physical.rawValue || isRepeated {
          add(
            .linearMapDiffers, here, last,
            "it leads to \(hex(physical.rawValue)) where the linear map has \(hex(expected)) by \(offset.source): "
              + "corruption", [(here, entry.level)])
        }
      }
      if !attributes.isWritable {
        note(context.isKernelData(physical.rawValue) ? .dataAliasReadOnly : .linearReadOnly, here, last)
      }
    }
    if let image = context.image, let offset = context.imageOffset, image.contains(here) {
      if here > imageNext { note(.imageUnmapped, imageNext, here &- 1) }
      imageNext = last &+ 1
      let expected = here &- offset
      if expected != physical.rawValue || isRepeated {
        add(
          .imageDiffers, here, last,
          "it leads to \(hex(physical.rawValue)) where the kernel image has \(hex(expected)) by kimage_voffset: "
            + "corruption", [(here, entry.level)])
      }
    }
  }

  /// Reports RAM not mapped by the linear map between the last mapping and `here`.
  private mutating func linearGap(to here: UInt64) {
    guard here > linearNext, let offset = context.linearOffset?.value else { return }
    let first = linearNext
    let last = here &- 1
    // There is no RAM below a PHYS_OFFSET that has wrapped around.
    let through = last &- offset
    let from = first &- offset <= through ? first &- offset : 0
    for range in context.ram(from: from) {
      guard range.lowerBound.rawValue <= through else { return }
      let start = max(range.lowerBound.rawValue &+ offset, first)
      let end = min(range.upperBound.rawValue &+ offset &- 1, last)
      if start <= end, range.lowerBound.rawValue &+ offset >= context.linear?.lowerBound ?? 0 {
        note(.linearUnmapped, start, end)
      }
    }
  }

  // MARK: - The report

  private func address(of claim: AuditSurvey.Claim, at physical: UInt64) -> UInt64 {
    claim.virtual &+ (max(physical, claim.first) &- claim.first)
  }

  private func last(of table: SweptTable) -> UInt64 {
    table.virtual.rawValue &+ (UInt64(table.entries) &<< UInt64(table.shift)) &- 1
  }

  /// Adds a finding, or extends the one of its kind that ends where this begins.
  ///
  /// - Parameter proofs: addresses whose walks prove it, and the level of the entry that does; nil for the leaf.
  mutating func add(
    _ code: Finding.Code, _ first: UInt64, _ last: UInt64, _ message: @autoclosure () -> String,
    _ proofs: @autoclosure () -> [(virtual: UInt64, level: Int?)]
  ) {
    let region = piece.contains(first) ? piece.region : context.map.piece(at: first).region
    let place = open.firstIndex { $0.code == code }
    if let place {
      let index = open[place].index
      if report.findings[index].last &+ 1 == first, report.findings[index].region == region {
        report.findings[index].last = last
        return
      }
    }
    guard report.findings.count < Limits.auditFindings else {
      isFull = true
      return
    }
    let steps = proofs().flatMap { virtual, level -> [Finding.Proof] in
      let walked = context.kernel.walkSteps(to: VirtualAddress(virtual))
      return walked.filter { level == nil || $0.level <= level ?? 3 }
        .map { Finding.Proof(virtual: VirtualAddress(virtual), step: $0) }
    }
    if let place {
      open[place].index = report.findings.count
    } else {
      open.append((code, report.findings.count))
    }
    report.findings.append(
      Finding(code: code, first: first, last: last, region: region, message: message(), proofs: steps))
  }

  private mutating func note(_ code: KnownOddity.Code, _ first: UInt64, _ last: UInt64) {
    guard var sum = oddities[code] else {
      oddities[code] = (first, last, last &- first &+ 1, 1)
      return
    }
    if sum.last &+ 1 != first { sum.count += 1 }
    sum.last = last
    sum.bytes &+= last &- first &+ 1
    oddities[code] = sum
  }

  /// What only the end of the pass shows.
  mutating func finish(_ result: SweepResult) {
    endGroup(unless: nil)
    if let linear = context.linear, linear.upperBound > linearNext, linearNext >= linear.lowerBound {
      linearGap(to: linear.upperBound)
    }
    if let image = context.image, imageNext <= image.upperBound { note(.imageUnmapped, imageNext, image.upperBound) }
    if result.isCutShort {
      add(
        .cutShort, context.kernel.regime.firstAddress, context.kernel.regime.lastAddress,
        "\(result.tables) tables were read, more than the dump can hold: tables are used again and again; "
          + "the rest was left out", [])
    }
    if isFull {
      report.unchecked.append(
        Diagnostic(.notChecked, "findings", "there are more findings than \(Limits.auditFindings): the rest"))
    }
    report.oddities = KnownOddity.Code.allCases.compactMap { code in
      oddities[code].map { KnownOddity(code: code, first: $0.first, bytes: $0.bytes, count: $0.count) }
    }
  }
}
