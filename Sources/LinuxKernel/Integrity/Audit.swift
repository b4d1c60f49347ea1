import Bytes
import VMSA

extension AuditReport {
  /// Audits all of the kernel's tables for what no healthy kernel has.
  ///
  /// Two passes: the first collects the frames of the kernel's text and read-only data and those not mapped as cached
  /// memory, the second checks every entry against them. Memory grows with the table pages and with those ranges, not
  /// with the entries.
  static func of(
    _ kernel: KernelContext, types: MemoryAttributeIndirection?, _ arithmetic: Arithmetic, _ sections: ImageSections
  ) -> AuditReport {
    let context = AuditContext(kernel, types: types, arithmetic, sections)
    var survey = AuditSurvey(context: context)
    kernel.sweep(nil, &survey)
    survey.finish()
    var auditor = Auditor(context: context, survey: survey)
    let result = kernel.sweep(nil, &auditor)
    auditor.finish(result)
    var report = auditor.report
    report.tables = result.tables
    return report
  }
}

/// The state shared by both passes of an audit.
struct AuditContext {
  let kernel: KernelContext
  let map: RegionMap
  let image: ClosedRange<UInt64>?
  let imageOffset: UInt64?
  let linear: ClosedRange<UInt64>?
  let linearOffset: Sourced<UInt64>?
  let types: MemoryAttributeIndirection?
  /// RAM, sorted and disjoint; empty if the dump does not describe it, such as a dump of only the tables.
  let ram: [Range<PhysicalAddress>]
  let format: DescriptorFormat
  let freePages: FreePages?
  /// log2 of the page size.
  let pageShift: UInt64
  private let sections: ImageSections

  init(
    _ kernel: KernelContext, types: MemoryAttributeIndirection?, _ arithmetic: Arithmetic, _ sections: ImageSections
  ) {
    self.kernel = kernel
    self.sections = sections
    image = kernel.image.addresses(kernel.regime, in: kernel.dump)
    map = RegionMap(kernel.layout.layout, image: image, first: kernel.regime.firstAddress)
    imageOffset = arithmetic.imageOffset
    linearOffset = arithmetic.linearOffset
    if let span = kernel.layout.layout?.linearMap, span.start <= span.end &- 1 {
      linear = span.start...(span.end &- 1)
    } else {
      linear = nil
    }
    self.types = types
    format = kernel.regime.format
    ram = kernel.dump.describesRAM(kernel.facts, kernel.vmcoreinfo) ? kernel.dump.memory.ranges : []
    freePages = FreePages(kernel, arithmetic)
    pageShift = UInt64(kernel.regime.granule.pageShift)
  }

  /// Whether the frame at `physical` is in the image's data or bss. From 7.2 on their alias in the linear map is
  /// read-only, and from 7.3 on invalid.
  func isKernelData(_ physical: UInt64) -> Bool {
    guard let image, let imageOffset, case let address = physical &+ imageOffset, image.contains(address) else {
      return false
    }
    return kernel.image.isData(
      address, sections,
      isWritable: kernel.translate(VirtualAddress(address)).leaf?.attributes.isWritable ?? false)
  }

  /// Whether the memory is mapped cached, uncached, or as a device; nil if MAIR_EL1 is unknown.
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
    ram[ram.partitioningIndex { $0.upperBound.rawValue > physical }...]
  }

  /// Whether all `size` bytes at `physical` are RAM.
  func isRAM(_ physical: PhysicalAddress, _ size: UInt64) -> Bool {
    guard let range = ram(from: physical.rawValue).first else { return false }
    return range.lowerBound <= physical && physical.rawValue &+ (size &- 1) <= range.upperBound.rawValue &- 1
  }

  /// Whether `physical` lies between ranges of RAM, where firmware and crash kernels have their memory.
  func isBetweenRAM(_ physical: PhysicalAddress) -> Bool {
    guard let first = ram.first, let last = ram.last else { return false }
    return physical >= first.lowerBound && physical < last.upperBound
  }
}

/// The first pass: frames that restrict how others may map them.
struct AuditSurvey: SweepObserver {
  /// Frames and one address that maps them.
  struct Claim {
    var first: UInt64
    var last: UInt64
    var virtual: UInt64
    var kind: AuditContext.MemoryKind
  }

  let context: AuditContext
  /// Frames of the kernel image that are mapped read-only in the image or the linear map.
  private(set) var readOnly: [Claim] = []
  /// Frames mapped as device memory, or uncached.
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
    // A read-only alias of data is a precaution, not evidence of text.
    guard let imageFrames, !attributes.isWritable, imageFrames.contains(physical.rawValue),
      context.image?.contains(entry.virtual.rawValue) ?? false
        || context.linear?.contains(entry.virtual.rawValue) ?? false && !context.isKernelData(physical.rawValue)
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

/// Claims sorted by address, searched for the first that overlaps a range. Claims may overlap each other, so each is
/// stored with the highest end so far.
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
    var next = highest.partitioningIndex { $0 >= first }
    // A frame has a handful of mappings; of very many, only the first are checked.
    var looked = 0
    while next < claims.count, claims[next].first <= last, looked < 64 {
      if claims[next].last >= first, condition(claims[next]) { return claims[next] }
      next += 1
      looked += 1
    }
    return nil
  }
}
