import VMSA

/// What decides where the regions of a kernel are, besides its era.
public struct LayoutConfiguration: Hashable, Sendable {
  /// PAGE_SIZE.
  public var granule: Granule
  /// VA_BITS.
  public var vaBits: Int
  /// vabits_actual.
  public var vaBitsActual: Int
  /// CONFIG_KASAN and its mode.
  public var kasan: KASAN
  /// sizeof(struct page) in bytes.
  public var structPageSize: UInt64

  /// The modes of KASAN that keep a shadow.
  public enum KASAN: String, Hashable, Sendable, CaseIterable {
    /// No shadow: no KASAN, or its hardware mode.
    case none
    /// One byte for eight.
    case generic
    /// One byte for sixteen.
    case softwareTags = "sw-tags"

    /// KASAN_SHADOW_SCALE_SHIFT; nil without a shadow.
    package var scaleShift: Int? {
      switch self {
      case .none: nil
      case .generic: 3
      case .softwareTags: 4
      }
    }
  }

  /// Describes a kernel.
  public init(
    granule: Granule, vaBits: Int, vaBitsActual: Int? = nil, kasan: KASAN = .none, structPageSize: UInt64 = 64
  ) {
    self.granule = granule
    self.vaBits = vaBits
    self.vaBitsActual = vaBitsActual ?? vaBits
    self.kasan = kasan
    self.structPageSize = structPageSize
  }

  /// VA_BITS_MIN: 48 where 52 are configured, 47 for 16 KiB pages (6.9).
  public var vaBitsMin: Int { vaBits > 48 ? (granule == .sixteenKiB ? 47 : 48) : vaBits }
}

/// Where the regions of one kernel are. All arithmetic is modulo 2^64; an end of 0 is the end of the space.
public struct AddressLayout: Hashable, Sendable {
  /// A half-open range of addresses whose end may be 2^64, written 0.
  public struct Span: Hashable, Sendable {
    /// The first address.
    public var start: UInt64
    /// The address after the last; 0 for the end of the space.
    public var end: UInt64
    /// Makes a span.
    public init(_ start: UInt64, _ end: UInt64) {
      self.start = start
      self.end = end
    }
    /// Bytes.
    public var size: UInt64 { end &- start }
    /// Whether it holds `address`.
    public func contains(_ address: UInt64) -> Bool { address &- start < size }
  }

  /// PAGE_OFFSET to PAGE_END.
  public var linearMap: Span
  /// KASAN_SHADOW_START to KASAN_SHADOW_END.
  public var kasanShadow: Span?
  /// BPF_JIT_REGION_START to BPF_JIT_REGION_END.
  public var bpfJIT: Span?
  /// MODULES_VADDR to MODULES_END.
  public var modules: Span
  /// VMALLOC_START (which is KIMAGE_VADDR, the lowest address of the image) to VMALLOC_END.
  public var vmalloc: Span
  /// VMEMMAP_START to VMEMMAP_END.
  public var vmemmap: Span
  /// What the kernel's document gives the fixed mappings, up to FIXADDR_TOP.
  public var fixmap: Span
  /// PCI_IO_START to PCI_IO_END.
  public var pciIO: Span

  /// The layout of `era` for `configuration`.
  public init(era: LayoutEra, _ configuration: LayoutConfiguration) {
    let bits = configuration.vaBits
    let least = configuration.vaBitsMin
    let actual = configuration.vaBitsActual
    let granule = configuration.granule
    let pageShift = UInt64(granule.pageShift)
    let flipped = era.linearMap == .lower
    let pageOffset = flipped ? Self.bottom(bits) : Self.middle(bits)

    // KASAN's shadow decides where the linear map ends and the modules begin.
    var pageEnd: UInt64
    var afterShadow: UInt64
    switch era.kasan {
    case .bottom:
      pageEnd = 0
      afterShadow = Self.bottom(bits)
      if let scale = configuration.kasan.scaleShift {
        afterShadow &+= 1 << UInt64(bits - scale)
        kasanShadow = Span(Self.bottom(bits), afterShadow)
      }
    case .aboveLinearMap:
      pageEnd = Self.middle(actual)
      afterShadow = Self.middle(least)
      if let scale = configuration.kasan.scaleShift {
        // KASAN_SHADOW_OFFSET puts the end of the shadow at a place that no width moves: the shadow of a
        // space of VA_BITS_MIN bits, built upwards from its middle.
        afterShadow &+= 1 << UInt64(least - scale)
        kasanShadow = Span(afterShadow &- (1 << UInt64(actual - scale)), afterShadow)
      }
    case .insideLinearMap:
      pageEnd = Self.middle(least)
      afterShadow = pageEnd
      if let scale = configuration.kasan.scaleShift {
        pageEnd &-= 1 << UInt64(actual - scale)
        kasanShadow = Span(pageEnd, afterShadow)
      }
    }
    linearMap = Span(pageOffset, pageEnd)

    let modulesStart = afterShadow &+ era.bpfJITSize
    if era.bpfJITSize > 0 { bpfJIT = Span(afterShadow, modulesStart) }
    modules = Span(modulesStart, modulesStart &+ era.modulesSize)
    let vmallocStart = modules.end

    let linearHalf = Self.middle(least) &- Self.bottom(bits)
    switch era.top {
    case .belowLinearMap, .twoMiBGuards:
      let end = flipped ? 0 &- (2 << 20) : pageOffset
      let size = flipped ? linearHalf >> (pageShift - 6) : 1 << (UInt64(bits) - pageShift + 5)
      vmemmap = Span(end &- size, end)
      // VMALLOC_END keeps clear of vmemmap by a PUD, which is the root's entry where levels are folded.
      let levels = (bits - 4) / granule.indexBits
      let pudSize = UInt64(1) << UInt64(granule.shift(level: levels >= 4 ? 1 : 4 - levels))
      let top: UInt64 = flipped ? 0 : pageOffset
      vmalloc = Span(vmallocStart, top &- pudSize &- size &- 65536)
      let pciEnd = vmemmap.start &- (2 << 20)
      pciIO = Span(pciEnd &- (16 << 20), pciEnd)
      let fixmapTop = pciIO.start &- (2 << 20)
      fixmap = Span(fixmapTop &- Self.fixmapSize(granule), fixmapTop)
    case .shiftedLinearMap:
      let shift = pageShift - (configuration.structPageSize > 64 ? 7 : 6)
      let start: UInt64 = 0 &- (1 << (UInt64(bits) - shift))
      vmemmap = Span(start, start &+ linearHalf >> shift)
      vmalloc = Span(vmallocStart, start &- (256 << 20))
      pciIO = Span(start &- (24 << 20), start &- (8 << 20))
      fixmap = Span(vmalloc.end, start &- (32 << 20))
    case .vmemmapBelowPCI:
      let end: UInt64 = 0 &- (1 << 30)
      let start = end &- (linearHalf >> pageShift) &* configuration.structPageSize
      vmemmap = Span(start, end)
      // On hardware with fewer bits the pages below the linear map do not exist; vmalloc takes their part.
      let unused = (Self.bottom(actual) &- Self.bottom(bits)) >> pageShift &* configuration.structPageSize
      vmalloc = Span(vmallocStart, start &+ unused &- (8 << 20))
      pciIO = Span(end &+ (8 << 20), end &+ (24 << 20))
      fixmap = Span(pciIO.end &+ (8 << 20), 0 &- (8 << 20))
    }
  }

  /// The lowest address of an upper half of `bits` (`_PAGE_OFFSET(va)`).
  package static func bottom(_ bits: Int) -> UInt64 { 0 &- (1 << UInt64(bits)) }
  /// The middle of an upper half of `bits` (`_PAGE_END(va)`).
  package static func middle(_ bits: Int) -> UInt64 { 0 &- (1 << UInt64(bits - 1)) }

  /// The slots of the device tree (4 MiB), the permanent ones and, below, those used while booting
  /// (FIXADDR_TOT_SIZE; `NR_FIX_BTMAPS` times `FIX_BTMAPS_SLOTS` of 256 KiB, asm/fixmap.h).
  private static func fixmapSize(_ granule: Granule) -> UInt64 { (4 << 20) + 7 * (256 << 10) + 16 * granule.size }

  /// The region that `address`, canonical and of the upper half, lies in by these bounds.
  public func region(of address: UInt64) -> Region {
    // vmalloc comes before vmemmap: where they overlap, vmalloc uses the part.
    if let kasanShadow, kasanShadow.contains(address) { return .kasanShadow }
    if linearMap.contains(address) { return .linearMap }
    if let bpfJIT, bpfJIT.contains(address) { return .bpfJIT }
    if modules.contains(address) { return .modules }
    if vmalloc.contains(address) { return .vmalloc }
    if vmemmap.contains(address) { return .vmemmap }
    if fixmap.contains(address) { return .fixmap }
    if pciIO.contains(address) { return .pciIO }
    return address >= vmalloc.end ? .guardRegion : .hole
  }
}
