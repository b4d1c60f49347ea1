import KernelLayout
import VMSA

/// How a kernel version prints its own tables in debugfs (`kernel_page_tables`).
///
/// (arch/arm64/mm/dump.c up to 5.6, arch/arm64/mm/ptdump.c and mm/ptdump.c after.)
struct ListingStyle: Sendable {
  /// Whether entries that map nothing have lines.
  var showsHoles: Bool
  /// Whether the first line begins at address 0 and the first marker is left out.
  var beginsAtZero: Bool
  /// Whether the linear map's bounds come first, and their wording.
  var linearMarkers: LinearMarkers
  /// Whether the BPF region has markers.
  var hasBPFMarkers: Bool
  /// "vmalloc() Area" and "vmalloc() End": up to 4.20.
  var hasCapitalArea: Bool
  /// Whether the listing and its vmemmap begin at the first address of the width in use.
  var hasWidthInUse: Bool
  /// Whether GP is shown.
  var showsGuarded: Bool
  /// Whether BLK is shown only for blocks, not for invalid entries.
  var showsBlocksByType: Bool
  /// The number of fixmap pages that its marker covers.
  var fixmapPages: @Sendable (Granule) -> UInt64

  enum LinearMarkers: Sendable { case oneAtTheEnd(String), first }

  /// What in the fixmap depends on the configuration.
  struct Fixmap: Sendable {
    /// The slot of the trampoline's first page of code (FIX_ENTRY_TRAMP_TEXT1), the last one kept after boot; nil if it
    /// is not mapped.
    var trampoline: UInt64?
    /// The slots for the VNCR pages of nested KVM, from the kernel's functions and NR_CPUS.
    var nested: UInt64
  }

  init(era: LayoutEra?, version: KernelVersion?, fixmap: Fixmap) {
    let version = version ?? era?.since ?? LayoutEra.all[0].since
    let flipped = era.map { $0.linearMap == .lower } ?? true
    hasCapitalArea = !version.has(.listingInLowerCase)
    showsHoles = version.has(.listingShowsHoles)
    beginsAtZero = showsHoles && !version.has(.listingBeginsAtBase)
    linearMarkers =
      flipped ? .first : .oneAtTheEnd(hasCapitalArea ? "Linear Mapping" : "Linear mapping")
    hasBPFMarkers = version.has(.listingMarksBPF) && !version.has(.noBPFRegion)
    hasWidthInUse = era?.since.has(.listingOfWidthInUse) ?? true
    showsGuarded = version.has(.listingShowsGuarded)
    showsBlocksByType = version.has(.listingShowsBlocksByType)
    if version.has(.listingMarksWholeFixmap) {
      // FIXADDR_TOT_START. Without a trampoline: a hole, an FDT of 2 MiB and two pages, a console, a page for patching
      // code, VNCR pages, and still four for the trampoline (enum fixed_addresses, asm/fixmap.h).
      let nested = version.has(.nestedFixmap) ? fixmap.nested : 0
      // Seven boot-time slots of 256 KiB, and five pages for tables.
      let early: UInt64 = version.has(.longerEarlyMappings) || version == KernelVersion(6, 12) ? 1 : 0
      fixmapPages = { granule in
        let kept = fixmap.trampoline.map { $0 + 1 } ?? (2 << 20) / granule.size + 5 + nested + 4
        return kept + 7 * ((256 << 10) / granule.size + early) + 5
      }
    } else {
      // FIXADDR_START: an FDT of 4 MiB; the trampoline has four pages since 5.17, two before.
      let others: UInt64 = version.has(.longerTrampoline) ? 7 : 5
      fixmapPages = { (4 << 20) / $0.size + others }
    }
  }

  /// The bounds with a line of their own, in the kernel's order.
  func markers(_ layout: AddressLayout, _ configuration: LayoutConfiguration) -> [(address: UInt64, text: String)] {
    var markers: [(address: UInt64, text: String)] = []
    func add(_ span: AddressLayout.Span, _ start: String, _ end: String) {
      markers += [(span.start, start), (span.end, end)]
    }
    if case .first = linearMarkers {
      add(
        AddressLayout.Span(Self.base(self, layout, configuration), layout.linearMap.end), "Linear Mapping start",
        "Linear Mapping end")
    }
    if let shadow = layout.kasanShadow { add(shadow, "Kasan shadow start", "Kasan shadow end") }
    if hasBPFMarkers, let bpf = layout.bpfJIT { add(bpf, "BPF start", "BPF end") }
    add(layout.modules, "Modules start", "Modules end")
    let word = hasCapitalArea ? ("Area", "End") : ("area", "end")
    add(layout.vmalloc, "vmalloc() \(word.0)", "vmalloc() \(word.1)")
    let granule = configuration.granule
    let fixmap = AddressLayout.Span(layout.fixmap.end &- fixmapPages(granule) &* granule.size, layout.fixmap.end)
    var vmemmap = layout.vmemmap
    if hasWidthInUse {
      let skipped = Self.base(self, layout, configuration) &- layout.linearMap.start
      vmemmap.start &+= (skipped >> UInt64(granule.pageShift)) &* configuration.structPageSize
    }
    let top = [(fixmap, "Fixmap"), (layout.pciIO, "PCI I/O"), (vmemmap, "vmemmap")]
    for (span, name) in top.sorted(by: { $0.0.start < $1.0.start }) { add(span, "\(name) start", "\(name) end") }
    if case .oneAtTheEnd(let text) = linearMarkers { markers.append((layout.linearMap.start, text)) }
    return markers
  }

  /// Where the listing begins (`base_addr`): the lowest address of the kernel's half; since 6.9 that of the width in
  /// use.
  static func base(
    _ style: ListingStyle, _ layout: AddressLayout, _ configuration: LayoutConfiguration
  ) -> UInt64 {
    guard case .first = style.linearMarkers else { return AddressLayout.bottom(configuration.vaBits) }
    return style.hasWidthInUse ? AddressLayout.bottom(configuration.vaBitsActual) : layout.linearMap.start
  }
}

/// The kernel's own listing of its tables.
enum DebugfsListing {
  /// Calls `line` with each line, without its newline, of what the kernel would have printed as `kernel_page_tables` in
  /// debugfs at that moment; nil if the layout is unknown.
  ///
  /// - Parameter user: tables of user space to list instead, in the same form, without markers.
  static func write(
    _ context: KernelContext, user: TranslationRegime?, types: MemoryAttributeIndirection?, _ checks: EntryChecks,
    _ line: @escaping (String) -> Void
  ) -> SweepReport? {
    let style = ListingStyle(era: context.layout.era, version: context.facts.version, fixmap: fixmap(context))
    var markers: [(address: UInt64, text: String)] = []
    var base: UInt64 = 0
    if user == nil {
      guard let bounds = context.layout.layout else { return nil }
      markers = style.markers(bounds, context.layout.configuration)
      base = ListingStyle.base(style, bounds, context.layout.configuration)
    }
    let tables = user ?? context.regime
    var writer = ListingWriter(
      style: style, markers: markers, types: types, rootLevel: tables.startLevel, line: line)
    if style.beginsAtZero, user == nil { writer.start(at: 0) }
    // A 52-bit kernel on smaller hardware lists addresses that the hardware does not translate.
    if base < tables.firstAddress {
      writer.note(base, level: tables.startLevel, value: 0)
    }
    let result = context.sweep(max(base, tables.firstAddress)...(.max), of: user, &writer)
    writer.finish()
    if user == nil { writer.problems.note(checks.twins.value) }
    return SweepReport(result: result, problems: writer.problems)
  }

  /// What the tables and symbols show about the fixmap.
  private static func fixmap(_ context: KernelContext) -> ListingStyle.Fixmap {
    let symbols = context.symbols
    let hasKVM =
      symbols.symbol(named: "kvm_mmu_get_httbr") != nil || symbols.symbol(named: "schedule") == nil
    // NR_CPUS, from an array with an entry per CPU.
    let table = (symbols.symbol(named: "__per_cpu_offset")?.size ?? 0) / 8
    let cpus = (1...UInt64(Limits.cpus)).contains(table) ? table : 512
    var fixmap = ListingStyle.Fixmap(trampoline: nil, nested: hasKVM ? cpus + 1 : 0)
    guard let span = context.layout.layout?.fixmap else { return fixmap }
    var finder = FirstExecutablePage()
    context.sweep(span.start...(span.end &- 1), &finder)
    fixmap.trampoline = finder.address.map { (span.end &- $0) >> UInt64(context.regime.granule.pageShift) }
    return fixmap
  }
}

/// Finds the lowest executable page.
private struct FirstExecutablePage: SweepObserver {
  var address: UInt64?
  mutating func enter(_ table: SweptTable) -> Bool { address == nil }
  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    guard address == nil, !entry.descriptor.has(.pxn) else { return }
    address = entry.virtual.rawValue
  }
}

/// Formats the entries of a sweep as the kernel's lines. (`note_page`)
struct ListingWriter: SweepObserver {
  let style: ListingStyle
  let markers: [(address: UInt64, text: String)]
  let types: MemoryAttributeIndirection?
  let rootLevel: Int
  let line: (String) -> Void
  var problems = SweepProblems()

  /// The last marker printed.
  private var marker = 0
  private var start: UInt64 = 0
  private var level: Int?
  private var current: UInt64 = 0

  init(
    style: ListingStyle, markers: [(address: UInt64, text: String)], types: MemoryAttributeIndirection?,
    rootLevel: Int, line: @escaping (String) -> Void
  ) {
    self.style = style
    self.markers = markers
    self.types = types
    self.rootLevel = rootLevel
    self.line = line
  }

  /// Starts in the middle of a range without entries.
  mutating func start(at address: UInt64) {
    start = address
    level = rootLevel
  }

  private var nextMarker: UInt64? { marker + 1 < markers.count ? markers[marker + 1].address : nil }

  private mutating func passMarker() {
    marker += 1
    line("---[ \(markers[marker].text) ]---")
  }

  mutating func note(_ address: UInt64, level: Int, value: UInt64) {
    var shown = MappedRange.shownBits
    if !style.showsGuarded { shown.remove(.gp) }
    let value = value & shown.rawValue
    guard let before = self.level else {
      self.level = level
      current = value
      start = address
      if !markers.isEmpty { line("---[ \(markers[0].text) ]---") }
      return
    }
    let isPast = nextMarker.map { address >= $0 } ?? false
    if value != current || level != before || isPast {
      flush(address)
      if isPast { passMarker() }
      start = address
      current = value
      self.level = level
    }
    if let next = nextMarker, address >= next { passMarker() }
  }

  private func flush(_ end: UInt64) {
    guard let level, current != 0 || style.showsHoles else { return }
    line(Self.text(start, end, level: level, rootLevel: rootLevel, current, style, types))
  }

  /// The end of the tables.
  mutating func finish() {
    if level != nil { flush(0) }
  }

  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    note(entry.virtual.rawValue, level: entry.level, value: entry.descriptor.rawValue)
  }
  mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {
    leaf(entry, physical)
  }
  mutating func invalid(_ entry: SweptEntry) {
    note(entry.virtual.rawValue, level: entry.level, value: entry.descriptor.rawValue)
  }
  mutating func corrupt(_ entry: SweptEntry, _ what: WalkResult.Corruption) {
    problems.corrupt += 1
    note(entry.virtual.rawValue, level: entry.level, value: entry.descriptor.rawValue)
  }
  mutating func missing(_ table: SweptTable, _ virtual: VirtualAddress, count: Int, _ fault: MemoryFault) {
    problems.note(table, count: count, fault)
    note(virtual.rawValue, level: table.level, value: 0)
  }
  mutating func empty(_ virtual: VirtualAddress, level: Int, shift: Int, count: Int) {
    note(virtual.rawValue, level: level, value: 0)
    // The others change nothing, except the first one beyond a marker.
    let size = UInt64(1) << UInt64(shift)
    var index: UInt64 = 1
    while index < UInt64(count), let next = nextMarker, next > virtual.rawValue {
      let steps = (next &- virtual.rawValue &+ size &- 1) >> UInt64(shift)
      index = max(index, steps)
      guard index < UInt64(count) else { return }
      note(virtual.rawValue &+ index &* size, level: level, value: 0)
      index += 1
    }
    while index < UInt64(count), let next = nextMarker, next <= virtual.rawValue {
      note(virtual.rawValue &+ index &* size, level: level, value: 0)
      index += 1
    }
  }

  /// One line: addresses, size in the largest unit that divides it, level, and the bits by the kernel's names.
  static func text(
    _ start: UInt64, _ end: UInt64, level: Int, rootLevel: Int, _ bits: UInt64, _ style: ListingStyle,
    _ types: MemoryAttributeIndirection?
  ) -> String {
    func padded(_ text: String, _ width: Int, with pad: Character = " ") -> String {
      String(repeating: pad, count: max(0, width - text.utf8.count)) + text
    }
    func address(_ value: UInt64) -> String { "0x" + padded(String(value, radix: 16), 16, with: "0") }
    var delta = (end &- start) >> 10
    var units = "KMGTPE"[...]
    while delta & 1023 == 0, units.count > 1 {
      delta >>= 10
      units = units.dropFirst()
    }
    // With folded levels the root is the PGD, whatever its level.
    let names = [-1: "PGD", 0: "P4D", 1: "PUD", 2: "PMD", 3: "PTE"]
    let name = level == rootLevel && level < 3 ? "PGD" : names[level] ?? "PTE"
    var text = "\(address(start))-\(address(end))   \(padded(String(delta), 9))\(units.prefix(1)) \(name)"
    guard bits != 0 else { return text }
    let descriptor = Descriptor(rawValue: bits)
    func add(_ bits: Descriptor.Bits, _ set: String, _ clear: String) {
      text += " " + (descriptor.has(bits) ? set : clear)
    }
    add(.valid, " ", "F")
    add(.ap1, "USR", "   ")
    add(.ap2, "ro", "RW")
    add(.pxn, "NX", "x ")
    add(.sh, "SHD", "   ")
    add(.af, "AF", "  ")
    add(.nG, "NG", "  ")
    add(.contiguous, "CON", "   ")
    let isBlock = descriptor.has(.valid) || !style.showsBlocksByType
    text += isBlock && !descriptor.has(.table) ? " BLK" : "    "
    if style.showsGuarded {
      add(.uxn, "UXN", "   ")
      add(.gp, "GP", "  ")
    } else if descriptor.has(.uxn) {
      text += " UXN"
    }
    if let types {
      let index = Attributes(descriptor).attrIndex
      let attribute = types.attribute(index)
      let words: String? =
        switch types.memoryType(index) {
        case .deviceNGnRnE where index == types.firstIndex(of: attribute): "DEVICE/nGnRnE"
        case .deviceNGnRE: "DEVICE/nGnRE"
        case .deviceGRE: "DEVICE/GRE"
        case .normalNonCacheable: "MEM/NORMAL-NC"
        case .normal: types.firstIndex(of: attribute) == index ? "MEM/NORMAL" : "MEM/NORMAL-TAGGED"
        case .normalTagged: "MEM/NORMAL-TAGGED"
        default: nil
        }
      if let words { text += " " + words }
    }
    return text
  }
}

extension MemoryAttributeIndirection {
  /// The lowest AttrIndx of `attribute`. On hardware without MTE, Linux gives tagged memory the same attribute as
  /// normal memory; unused indices are zero.
  fileprivate func firstIndex(of attribute: UInt8) -> Int? { (0..<8).first { self.attribute($0) == attribute } }
}
