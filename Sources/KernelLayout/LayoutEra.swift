/// A range of kernel versions that divide the address space the same way.
///
/// Each era is one row of `LayoutEra.all`: the data by which it is detected, and one closure that computes the bounds.
/// Versions name it; evidence in the dump decides.
package struct LayoutEra: Sendable {
  /// The first version that has it: major and minor.
  package let since: KernelVersion
  /// The versions, for messages.
  package let name: String
  /// Which half of the kernel's space the linear map has: the image and vmalloc have the other. They were swapped in
  /// 5.4 (14c127c957c1 "arm64: mm: Flip kernel VA space").
  package let linearMap: Half
  /// Whether KASAN's shadow lies below the modules and moves them and the image up.
  package let kasanMovesImage: Bool
  /// Whether the first kernels of this era keep the linear map's offset in `physvirt_offset`, so that PHYS_OFFSET need
  /// not describe it.
  package let hasPhysvirtOffset: Bool
  /// A line of VMCOREINFO that kernels have from this era on.
  package let line: String?
  /// The bounds for a configuration.
  package let layout: @Sendable (LayoutConfiguration) -> AddressLayout

  package enum Half: Sendable { case lower, upper }

  /// Describes an era.
  package init(
    since: KernelVersion, name: String, linearMap: Half, kasanMovesImage: Bool, hasPhysvirtOffset: Bool = false,
    line: String? = nil, layout: @escaping @Sendable (LayoutConfiguration) -> AddressLayout
  ) {
    self.since = since
    self.name = name
    self.linearMap = linearMap
    self.kasanMovesImage = kasanMovesImage
    self.hasPhysvirtOffset = hasPhysvirtOffset
    self.line = line
    self.layout = layout
  }

  /// All eras, the newest first.
  package static let all: [LayoutEra] = [
    LayoutEra(
      since: KernelVersion(6, 9), name: "6.9 and later", linearMap: .lower, kasanMovesImage: false,
      line: "NUMBER(MODULES_VADDR)"
    ) { AddressLayout(.shadowInsideLinearMap($0), modules: 2 << 30, .vmemmapBelowPCI($0)) },
    LayoutEra(
      since: KernelVersion(6, 5), name: "6.5 to 6.8", linearMap: .lower, kasanMovesImage: false,
      line: "NUMBER(MODULES_VADDR)"
    ) { AddressLayout(.shadowInsideLinearMap($0), modules: 2 << 30, .shiftedLinearMap($0)) },
    // b89ddf4cca43 ("arm64/bpf: Remove 128MB limit for BPF JIT programs") removed the BPF JIT region.
    LayoutEra(
      since: KernelVersion(5, 17), name: "5.17 to 6.4", linearMap: .lower, kasanMovesImage: false,
      line: "OFFSET(uts_namespace.name)"
    ) { AddressLayout(.shadowInsideLinearMap($0), modules: 128 << 20, .shiftedLinearMap($0)) },
    LayoutEra(
      since: KernelVersion(5, 11), name: "5.11 to 5.16", linearMap: .lower, kasanMovesImage: false,
      line: "OFFSET(uts_namespace.name)"
    ) { AddressLayout(.shadowInsideLinearMap($0), bpfJIT: 128 << 20, modules: 128 << 20, .shiftedLinearMap($0)) },
    LayoutEra(
      since: KernelVersion(5, 4), name: "5.4 to 5.10", linearMap: .lower, kasanMovesImage: true,
      hasPhysvirtOffset: true
    ) { AddressLayout(.shadowAboveLinearMap($0), bpfJIT: 128 << 20, modules: 128 << 20, .belowEnd($0)) },
    // 91fc957c9b1d ("arm64/bpf: don't allocate BPF JIT programs in module memory") added the BPF JIT region.
    LayoutEra(since: KernelVersion(5, 0), name: "5.0 to 5.3", linearMap: .upper, kasanMovesImage: true) {
      AddressLayout(.shadowAtBottom($0), bpfJIT: 128 << 20, modules: 128 << 20, .belowLinearMap($0))
    },
    LayoutEra(since: KernelVersion(4, 6), name: "4.6 to 4.20", linearMap: .upper, kasanMovesImage: true) {
      AddressLayout(.shadowAtBottom($0), modules: 128 << 20, .belowLinearMap($0))
    },
  ]

  /// The era of a kernel version; nil before 4.6.
  package static func of(_ version: KernelVersion) -> LayoutEra? { all.first { $0.since <= version } }

  /// Where the shadow of generic KASAN would be, if it would move nothing but the end of the linear map (5.11 and
  /// later).
  package func optionalShadow(_ configuration: LayoutConfiguration) -> AddressLayout.Span? {
    guard configuration.kasan == .off, !kasanMovesImage else { return nil }
    var other = configuration
    other.kasan = .generic
    return layout(other).kasanShadow
  }

  /// Whether kernels of this era allow the configuration: the page size supports the width, 52 bits were supported with
  /// it by then, and the width in use is VA_BITS or, of 52, 48 (47 with 16 KiB).
  package func allows(_ configuration: LayoutConfiguration) -> Bool {
    let paging = configuration.paging
    guard PagingParameters.widths(of: paging.granule).contains(paging.vaBits) else { return false }
    let isWide = paging.vaBits == 52
    if isWide, !since.has(paging.granule == .sixtyFourKiB ? .wideAddresses64K : .wideAddresses) { return false }
    return paging.vaBitsActual == paging.vaBits || isWide && paging.vaBitsActual == paging.vaBitsMin
  }
}

extension LayoutEra: Hashable {
  /// Eras differ by their first version.
  package static func == (a: Self, b: Self) -> Bool { a.since == b.since }
  /// Eras differ by their first version.
  package func hash(into hasher: inout Hasher) { hasher.combine(since) }
}
