import VMSA

/// The formulas that eras compose their layouts of. (arch/arm64/include/asm/memory.h, pgtable.h and fixmap.h of v4.19,
/// v5.1, v5.4, v5.10, v5.11, v6.1, v6.8 and v6.12.)
extension AddressLayout {
  /// The linear map and KASAN's shadow, which decide where the modules begin.
  package struct Base: Sendable {
    /// PAGE_OFFSET to PAGE_END.
    package var linearMap: Span
    /// KASAN_SHADOW_START to KASAN_SHADOW_END.
    package var kasanShadow: Span?
    /// Where the region above begins: the BPF JIT region or the modules.
    package var end: UInt64
  }

  /// What lies above VMALLOC_END, or between it and the linear map.
  package struct Top: Sendable {
    /// VMALLOC_END.
    package var vmallocEnd: UInt64
    /// VMEMMAP_START to VMEMMAP_END.
    package var vmemmap: Span
    /// The fixed mappings, up to FIXADDR_TOP.
    package var fixmap: Span
    /// PCI_IO_START to PCI_IO_END.
    package var pciIO: Span
  }

  /// Assembles a layout from the bottom up: `base`, the BPF JIT region, the modules, and vmalloc space with the image.
  package init(_ base: Base, bpfJIT: UInt64 = 0, modules: UInt64, _ top: Top) {
    let start = base.end &+ bpfJIT
    self.init(
      linearMap: base.linearMap, kasanShadow: base.kasanShadow, bpfJIT: bpfJIT > 0 ? Span(base.end, start) : nil,
      modules: Span(start, start &+ modules), vmalloc: Span(start &+ modules, top.vmallocEnd), vmemmap: top.vmemmap,
      fixmap: top.fixmap, pciIO: top.pciIO)
  }

  /// The lowest address of an upper half of `bits` (`_PAGE_OFFSET(va)`).
  package static func bottom(_ bits: Int) -> UInt64 { 0 &- (1 << UInt64(bits)) }
  /// The middle of an upper half of `bits` (`_PAGE_END(va)`).
  package static func middle(_ bits: Int) -> UInt64 { 0 &- (1 << UInt64(bits - 1)) }
}

extension LayoutConfiguration {
  /// Bytes of KASAN's shadow of an upper half of `bits`; nil without KASAN.
  fileprivate func shadowSize(_ bits: Int) -> UInt64? { kasan.scaleShift.map { 1 << UInt64(bits - $0) } }

  /// Bytes of the lower half of the kernel's space, which vmemmap describes.
  fileprivate var linearHalf: UInt64 { AddressLayout.middle(vaBitsMin) &- AddressLayout.bottom(vaBits) }

  /// Bytes between VMALLOC_END and vmemmap until 5.11: PUD_SIZE, what an entry of the root covers where levels are
  /// folded, and 64 KiB.
  fileprivate var guardBelowVmemmap: UInt64 {
    let levels = (vaBits - 4) / granule.indexBits
    return 1 << UInt64(granule.shift(level: levels >= 4 ? 1 : 4 - levels)) + 65536
  }

  /// The slots of the device tree (4 MiB), the permanent ones and, below, those used while booting
  /// (FIXADDR_TOT_SIZE; `NR_FIX_BTMAPS` times `FIX_BTMAPS_SLOTS` of 256 KiB, asm/fixmap.h).
  fileprivate var fixmapSize: UInt64 { (4 << 20) + 7 * (256 << 10) + 16 * granule.size }
}

extension AddressLayout.Base {
  /// Until 5.3: the linear map is the upper half, and the shadow at the bottom of the space.
  package static func shadowAtBottom(_ configuration: LayoutConfiguration) -> Self {
    let bits = configuration.vaBits
    let bottom = AddressLayout.bottom(bits)
    let size = configuration.shadowSize(bits)
    return Self(
      linearMap: AddressLayout.Span(AddressLayout.middle(bits), 0),
      kasanShadow: size.map { AddressLayout.Span(bottom, bottom &+ $0) }, end: bottom &+ (size ?? 0))
  }

  /// 5.4 to 5.10: the linear map is the lower half (14c127c957c1 "arm64: mm: Flip kernel VA space"), and the shadow at
  /// the bottom of the upper one. KASAN_SHADOW_OFFSET is a constant, so the shadow ends where it would for VA_BITS_MIN,
  /// whatever width is in use.
  package static func shadowAboveLinearMap(_ configuration: LayoutConfiguration) -> Self {
    let least = configuration.vaBitsMin
    let actual = configuration.vaBitsActual
    let end = AddressLayout.middle(least) &+ (configuration.shadowSize(least) ?? 0)
    return Self(
      linearMap: AddressLayout.Span(AddressLayout.bottom(configuration.vaBits), AddressLayout.middle(actual)),
      kasanShadow: configuration.shadowSize(actual).map { AddressLayout.Span(end &- $0, end) }, end: end)
  }

  /// Since 5.11 (f4693c2716b3 "arm64: mm: extend linear region for 52-bit VA configurations"): the linear map is the
  /// lower half, and the shadow is cut from its top, so that KASAN moves nothing else.
  package static func shadowInsideLinearMap(_ configuration: LayoutConfiguration) -> Self {
    let end = AddressLayout.middle(configuration.vaBitsMin)
    let size = configuration.shadowSize(configuration.vaBitsActual)
    return Self(
      linearMap: AddressLayout.Span(AddressLayout.bottom(configuration.vaBits), end &- (size ?? 0)),
      kasanShadow: size.map { AddressLayout.Span(end &- $0, end) }, end: end)
  }
}

extension AddressLayout.Top {
  /// Until 5.3: vmemmap ends where the linear map begins, and has 64 bytes for each of its pages.
  package static func belowLinearMap(_ configuration: LayoutConfiguration) -> Self {
    let end = AddressLayout.middle(configuration.vaBits)
    let size: UInt64 = 1 << (UInt64(configuration.vaBits) - UInt64(configuration.granule.pageShift) + 5)
    return twoMiBGuards(
      configuration, AddressLayout.Span(end &- size, end), vmallocEnd: end &- size &- configuration.guardBelowVmemmap)
  }

  /// 5.4 to 5.10: vmemmap ends 2 MiB below the end of the space.
  package static func belowEnd(_ configuration: LayoutConfiguration) -> Self {
    let end: UInt64 = 0 &- (2 << 20)
    let size = configuration.linearHalf >> (UInt64(configuration.granule.pageShift) - 6)
    return twoMiBGuards(
      configuration, AddressLayout.Span(end &- size, end), vmallocEnd: 0 &- size &- configuration.guardBelowVmemmap)
  }

  /// PCI I/O space and the fixmap, with 2 MiB between them, below vmemmap.
  private static func twoMiBGuards(
    _ configuration: LayoutConfiguration, _ vmemmap: AddressLayout.Span, vmallocEnd: UInt64
  ) -> Self {
    let pciEnd = vmemmap.start &- (2 << 20)
    let pciStart = pciEnd &- (16 << 20)
    let fixmapTop = pciStart &- (2 << 20)
    return Self(
      vmallocEnd: vmallocEnd, vmemmap: vmemmap,
      fixmap: AddressLayout.Span(fixmapTop &- configuration.fixmapSize, fixmapTop),
      pciIO: AddressLayout.Span(pciStart, pciEnd))
  }

  /// 5.11 to 6.8 (8c96400d6a39 "arm64: mm: make vmemmap region a projection of the linear region"): vmemmap is the
  /// linear map shifted right, by the page size over that of `struct page`, rounded up to a power of two
  /// (VMEMMAP_SHIFT).
  package static func shiftedLinearMap(_ configuration: LayoutConfiguration) -> Self {
    let shift = UInt64(configuration.granule.pageShift) - (configuration.structPageSize > 64 ? 7 : 6)
    let start: UInt64 = 0 &- (1 << (UInt64(configuration.vaBits) - shift))
    let vmallocEnd = start &- (256 << 20)
    return Self(
      vmallocEnd: vmallocEnd, vmemmap: AddressLayout.Span(start, start &+ configuration.linearHalf >> shift),
      fixmap: AddressLayout.Span(vmallocEnd, start &- (32 << 20)),
      pciIO: AddressLayout.Span(start &- (24 << 20), start &- (8 << 20)))
  }

  /// Since 6.9: vmemmap has the exact size and ends 1 GiB below the end of the space (32697ff38287 "arm64: vmemmap:
  /// Avoid base2 order of struct page size to dimension region"); PCI I/O space and the fixmap are above it
  /// (031e011d8b22 "arm64: mm: Move PCI I/O emulation region above the vmemmap region").
  package static func vmemmapBelowPCI(_ configuration: LayoutConfiguration) -> Self {
    let pageShift = UInt64(configuration.granule.pageShift)
    let end: UInt64 = 0 &- (1 << 30)
    let start = end &- (configuration.linearHalf >> pageShift) &* configuration.structPageSize
    // On hardware with fewer bits the pages below the linear map do not exist; vmalloc takes over that part.
    let unused =
      (AddressLayout.bottom(configuration.vaBitsActual) &- AddressLayout.bottom(configuration.vaBits)) >> pageShift
      &* configuration.structPageSize
    let pciEnd = end &+ (24 << 20)
    return Self(
      vmallocEnd: start &+ unused &- (8 << 20), vmemmap: AddressLayout.Span(start, end),
      fixmap: AddressLayout.Span(pciEnd &+ (8 << 20), 0 &- (8 << 20)),
      pciIO: AddressLayout.Span(end &+ (8 << 20), pciEnd))
  }
}
