import Bytes
import VMSA

extension Kernel {
  /// Looks through all of the kernel's tables for what no healthy kernel has.
  ///
  /// Two passes: the first learns which frames are the kernel's text and read-only data and which are mapped
  /// other than as cached memory, the second holds every entry against that. Memory grows with the table
  /// pages and with those ranges, not with the entries.
  public func audit() -> AuditReport {
    let context = AuditContext(self)
    var survey = AuditSurvey(context: context)
    sweep(nil, &survey)
    survey.finish()
    var auditor = Auditor(context: context, survey: survey)
    let result = sweep(nil, &auditor)
    auditor.finish(result)
    var report = auditor.report
    report.tables = result.tables
    return report
  }
}

/// What both passes of an audit know.
struct AuditContext {
  let kernel: Kernel
  let map: RegionMap
  let image: ClosedRange<UInt64>?
  let imageOffset: UInt64?
  let linear: ClosedRange<UInt64>?
  let linearOffset: Sourced<UInt64>?
  let types: MemoryAttributeIndirection?
  /// RAM, in order and apart; empty where the dump does not describe it, as one of the tables alone.
  let ram: [Range<PhysicalAddress>]
  let format: DescriptorFormat
  let freePages: FreePages?

  init(_ kernel: Kernel) {
    self.kernel = kernel
    image = kernel.imageSpan()
    map = RegionMap(kernel.layout.layout, image: image, first: kernel.regime.firstAddress)
    let arithmetic = Arithmetic(kernel)
    imageOffset = arithmetic.imageOffset
    linearOffset = arithmetic.linearOffset
    if let span = kernel.layout.layout?.linearMap, span.start <= span.end &- 1 {
      linear = span.start...(span.end &- 1)
    } else {
      linear = nil
    }
    types = kernel.memoryTypes?.value
    format = kernel.regime.format
    let ranges = kernel.dump.memory.ranges
    // A dump that leaves out the kernel's own text describes no RAM.
    if let text = kernel.vmcoreinfo?.symbol("_stext"), let offset = arithmetic.imageOffset,
      ranges.contains(where: { $0.contains(PhysicalAddress(text &- offset)) })
    {
      ram = ranges
    } else {
      ram = []
    }
    freePages = FreePages(kernel)
  }

  /// Whether memory of this kind is cached, not cached, or a device's; nil where MAIR_EL1 is not known.
  func kind(_ descriptor: Descriptor) -> MemoryKind? {
    guard let types else { return nil }
    let type = types.memoryType(Attributes(descriptor).attrIndex)
    switch type {
    case .normal, .normalTagged, .normalWriteThrough: return .cached
    case .normalNonCacheable: return .uncached
    case .other: return nil
    default: return type.isDevice ? .device : nil
    }
  }

  enum MemoryKind { case cached, uncached, device }

  /// The ranges of RAM that end beyond `physical`.
  func ram(from physical: UInt64) -> ArraySlice<Range<PhysicalAddress>> {
    var low = 0
    var high = ram.count
    while low < high {
      let middle = (low + high) / 2
      if ram[middle].upperBound.rawValue <= physical { low = middle + 1 } else { high = middle }
    }
    return ram[low...]
  }

  /// Whether all of the `size` bytes from `physical` on are RAM.
  func isRAM(_ physical: PhysicalAddress, _ size: UInt64) -> Bool {
    guard let range = ram(from: physical.rawValue).first else { return false }
    return range.lowerBound <= physical && physical.rawValue &+ (size &- 1) <= range.upperBound.rawValue &- 1
  }

  /// Whether `physical` lies between ranges of RAM, where firmware and crash kernels have theirs.
  func isBetweenRAM(_ physical: PhysicalAddress) -> Bool {
    guard let first = ram.first, let last = ram.last else { return false }
    return physical >= first.lowerBound && physical < last.upperBound
  }
}

/// Which pages the kernel's allocator has for free, by their `struct page`: the first page of a free block
/// says so, and of how many pages it is (mm/internal.h, `buddy_order`).
struct FreePages {
  private let kernel: Kernel
  private let base: UInt64
  private let size: UInt64
  private let typeOffset: UInt64
  private let orderOffset: UInt64
  private let value: UInt32
  private let mask: UInt32

  /// Nil where VMCOREINFO does not describe `struct page`.
  init?(_ kernel: Kernel) {
    guard let info = kernel.vmcoreinfo, let base = kernel.vmemmapBase, let size = info.size("page"), size >= 32,
      let type = info.offset("page._mapcount"), let order = info.offset("page.private"),
      (0..<size).contains(type), (0..<size).contains(order),
      let value = info.number("PAGE_BUDDY_MAPCOUNT_VALUE")
    else { return nil }
    self.kernel = kernel
    self.base = base
    self.size = UInt64(size)
    typeOffset = UInt64(type)
    orderOffset = UInt64(order)
    self.value = UInt32(truncatingIfNeeded: value)
    // A whole word up to 6.10; the type in the top byte after (PGTY_buddy, include/linux/page-flags.h).
    mask = self.value & 0x00ff_ffff == 0 ? 0xff00_0000 : 0xffff_ffff
  }

  /// Whether the page at `physical` is free; nil where the dump does not tell.
  func isFree(_ physical: PhysicalAddress) -> Bool? {
    let frame = physical.rawValue >> UInt64(kernel.regime.granule.pageShift)
    // MAX_PAGE_ORDER is 10 with 4 KiB pages and 13 at most.
    for order in 0...UInt64(13) {
      let head = frame & ~((1 << order) - 1)
      let page = base &+ head &* size
      guard let type = word(page &+ typeOffset) else {
        if order == 0 { return nil }
        continue
      }
      guard type & mask == value else { continue }
      if order == 0 { return true }
      if let length = word(page &+ orderOffset), UInt64(length) >= order, length <= 13 { return true }
    }
    return false
  }

  private func word(_ address: UInt64) -> UInt32? {
    guard let leaf = kernel.translate(VirtualAddress(address)).leaf,
      let word = try? kernel.dump.memory.word(at: PhysicalAddress(leaf.physical.rawValue & ~7))
    else { return nil }
    return UInt32(truncatingIfNeeded: word >> ((address & 4) * 8))
  }
}

/// The first pass: frames with a claim on how others may map them.
struct AuditSurvey: SweepObserver {
  /// Frames and one address that maps them.
  struct Claim {
    var first: UInt64
    var last: UInt64
    var virtual: UInt64
    var kind: AuditContext.MemoryKind
  }

  let context: AuditContext
  /// Frames of the kernel image that the image or the linear map has read-only.
  private(set) var readOnly: [Claim] = []
  /// Frames mapped as a device's, or without caches.
  private(set) var special: [Claim] = []
  private(set) var isIncomplete = false
  private let imageFrames: ClosedRange<UInt64>?

  init(context: AuditContext) {
    self.context = context
    if let image = context.image, let offset = context.imageOffset, image.lowerBound >= offset {
      imageFrames = (image.lowerBound &- offset)...(image.upperBound &- offset)
    } else {
      imageFrames = nil
    }
  }

  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    let kind = context.kind(entry.descriptor)
    let claim = Claim(
      first: physical.rawValue, last: physical.rawValue &+ (entry.size &- 1), virtual: entry.virtual.rawValue,
      kind: kind ?? .cached)
    if kind == .uncached || kind == .device { add(claim, to: \.special) }
    let attributes = Attributes(entry.descriptor, tables: entry.tables)
    guard let imageFrames, !attributes.isWritable, imageFrames.contains(physical.rawValue),
      context.image?.contains(entry.virtual.rawValue) ?? false
        || context.linear?.contains(entry.virtual.rawValue) ?? false
    else { return }
    add(claim, to: \.readOnly)
  }

  private mutating func add(_ claim: Claim, to list: WritableKeyPath<AuditSurvey, [Claim]>) {
    if let last = self[keyPath: list].last, last.last &+ 1 == claim.first, last.kind == claim.kind,
      claim.virtual &- last.virtual == claim.first &- last.first
    {
      self[keyPath: list][self[keyPath: list].count - 1].last = claim.last
    } else if self[keyPath: list].count < Limits.auditRanges {
      self[keyPath: list].append(claim)
    } else {
      isIncomplete = true
    }
  }

  mutating func finish() {
    readOnly.sort { $0.first < $1.first }
    special.sort { $0.first < $1.first }
  }
}

/// Claims sorted by address, asked for the first that overlaps a range: the ranges may overlap each other, so
/// the highest end so far is kept beside each.
struct ClaimIndex {
  private let claims: [AuditSurvey.Claim]
  private let highest: [UInt64]

  init(_ claims: [AuditSurvey.Claim]) {
    self.claims = claims
    var highest: [UInt64] = []
    highest.reserveCapacity(claims.count)
    for claim in claims { highest.append(max(highest.last ?? 0, claim.last)) }
    self.highest = highest
  }

  /// The first claim that overlaps `first` to `last` and that `condition` holds for.
  func overlapping(_ first: UInt64, _ last: UInt64, where condition: (AuditSurvey.Claim) -> Bool) -> AuditSurvey.Claim?
  {
    var low = 0
    var high = claims.count
    while low < high {
      let middle = (low + high) / 2
      if highest[middle] < first { low = middle + 1 } else { high = middle }
    }
    // A frame has a handful of mappings; one with very many is told by the first of them.
    var looked = 0
    while low < claims.count, claims[low].first <= last, looked < 64 {
      if claims[low].last >= first, condition(claims[low]) { return claims[low] }
      low += 1
      looked += 1
    }
    return nil
  }
}
