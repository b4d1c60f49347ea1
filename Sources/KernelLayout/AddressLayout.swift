/// Where the regions of one kernel are. All arithmetic is modulo 2^64; an end of 0 is the end of the space.
public struct AddressLayout: Hashable, Sendable {
  /// A half-open range of addresses whose end may be 2^64, written 0.
  public struct Span: Hashable, Sendable {
    /// The first address.
    public var start: UInt64
    /// The address after the last; 0 for the end of the space.
    public var end: UInt64
    /// Makes a span.
    package init(_ start: UInt64, _ end: UInt64) {
      self.start = start
      self.end = end
    }
    /// Bytes.
    public var size: UInt64 { end &- start }
    /// Whether it holds `address`.
    package func contains(_ address: UInt64) -> Bool { address &- start < size }
  }

  /// PAGE_OFFSET to PAGE_END.
  package var linearMap: Span
  /// KASAN_SHADOW_START to KASAN_SHADOW_END.
  package var kasanShadow: Span?
  /// BPF_JIT_REGION_START to BPF_JIT_REGION_END.
  package var bpfJIT: Span?
  /// MODULES_VADDR to MODULES_END.
  package var modules: Span
  /// VMALLOC_START (which is KIMAGE_VADDR, the lowest address of the image) to VMALLOC_END.
  package var vmalloc: Span
  /// VMEMMAP_START to VMEMMAP_END.
  package var vmemmap: Span
  /// What the kernel's document gives the fixed mappings, up to FIXADDR_TOP.
  package var fixmap: Span
  /// PCI_IO_START to PCI_IO_END.
  package var pciIO: Span

  /// The region that `address`, canonical and of the upper half, lies in by these bounds.
  package func region(of address: UInt64) -> Region {
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

extension AddressLayout {
  /// The layout of `era` for `configuration`.
  package init(era: LayoutEra, _ configuration: LayoutConfiguration) { self = era.layout(configuration) }
}
