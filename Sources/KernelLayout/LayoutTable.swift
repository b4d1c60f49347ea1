import VMSA

/// A row of the kernel's memory layout.
public struct LayoutRow: Hashable, Sendable {
  /// What the addresses are for.
  public let region: Region
  /// The addresses; an end of 0 is the end of the space.
  public let span: AddressLayout.Span
  /// Whether only kernels with KASAN have it, and others leave the addresses to the row before.
  public let isOptional: Bool

  /// Makes a row.
  public init(_ region: Region, _ span: AddressLayout.Span, isOptional: Bool = false) {
    self.region = region
    self.span = span
    self.isOptional = isOptional
  }
}

extension AddressLayout {
  /// The regions with their bounds, in the order of their addresses.
  package var regions: [(region: Region, span: Span)] {
    var all: [(region: Region, span: Span)] = [
      (.linearMap, linearMap), (.modules, modules), (.vmalloc, vmalloc), (.vmemmap, vmemmap), (.fixmap, fixmap),
      (.pciIO, pciIO),
    ]
    if let kasanShadow { all.append((.kasanShadow, kasanShadow)) }
    if let bpfJIT { all.append((.bpfJIT, bpfJIT)) }
    return all.filter { $0.span.size > 0 }.sorted { $0.span.start < $1.span.start }
  }

  /// The table of the layout: user space, each region, and what lies unused between them (`guard` from the
  /// end of vmalloc on, `hole` below). A region keeps its bounds where another one reaches into it.
  ///
  /// - Parameters:
  ///   - userBits: the width of user addresses.
  ///   - optionalShadow: where KASAN's shadow would be, if the kernel has none.
  public func rows(userBits: Int, optionalShadow: Span? = nil) -> [LayoutRow] {
    var rows = [LayoutRow(.user, Span(0, 1 << UInt64(userBits)))]
    var next: UInt64?
    func gap(_ start: UInt64, _ end: UInt64) -> LayoutRow {
      LayoutRow(start >= vmalloc.end ? .guardRegion : .hole, Span(start, end))
    }
    for (region, span) in regions {
      if let next, next != 0, next < span.start { rows.append(gap(next, span.start)) }
      rows.append(LayoutRow(region, span))
      if region == .linearMap, let optionalShadow {
        rows.append(LayoutRow(.kasanShadow, optionalShadow, isOptional: true))
      }
      // An end of 0 is beyond every other.
      if let before = next, before &- 1 > span.end &- 1 { continue }
      next = span.end
    }
    if let next, next != 0 { rows.append(gap(next, 0)) }
    return rows
  }
}

extension LayoutEra {
  /// The era that a kernel version is of; nil before 4.6.
  public static func of(_ version: KernelVersion) -> LayoutEra? { all.first { $0.since <= version } }

  /// Where the shadow of generic KASAN would be, where having one moves nothing but the end of the linear map
  /// (5.11 and later).
  public func optionalShadow(_ configuration: LayoutConfiguration) -> AddressLayout.Span? {
    guard configuration.kasan == .none, kasan == .insideLinearMap else { return nil }
    var other = configuration
    other.kasan = .generic
    return AddressLayout(era: self, other).kasanShadow
  }

  /// Whether kernels of this era can be configured so: the page size has that width, 52 bits came for 64 KiB
  /// pages in 5.4 and for 4 and 16 KiB ones in 6.9, and the hardware may have 48 (47 with 16 KiB) instead.
  /// (CONFIG_ARM64_VA_BITS, arch/arm64/Kconfig)
  public func allows(_ configuration: LayoutConfiguration) -> Bool {
    let widths: [Int] =
      switch configuration.granule {
      case .fourKiB: [39, 48]
      case .sixteenKiB: [36, 47, 48]
      case .sixtyFourKiB: [42, 48]
      }
    let since = configuration.granule == .sixtyFourKiB ? KernelVersion(5, 4) : KernelVersion(6, 9)
    let isWide = configuration.vaBits == 52 && self.since >= since
    guard isWide || widths.contains(configuration.vaBits) else { return false }
    return configuration.vaBitsActual == configuration.vaBits
      || isWide && configuration.vaBitsActual == configuration.vaBitsMin
  }
}

/// Which address bits index the tables of a level.
public struct LookupField: Hashable, Sendable {
  /// The level: -1 to 3.
  public let level: Int
  /// The highest bit of the index.
  public let highBit: Int
  /// The lowest bit of the index.
  public let lowBit: Int
}

extension LayoutConfiguration {
  /// The width that the kernel's tables are shaped for: the configured one with 64 KiB pages, the one in use
  /// with others. (Section "52-bit VA support in the kernel" of the kernel's memory document; 6.9 for the rest)
  public var tableBits: Int { granule == .sixtyFourKiB ? vaBits : vaBitsActual }

  /// How an address is looked up, from the root down.
  public var lookup: [LookupField] {
    let regime = TranslationRegime(
      register: .ttbr1EL1, granule: granule, tableBits: tableBits, format: .bits48(granule),
      root: PhysicalAddress(0))
    return (regime.startLevel...3).map { level in
      LookupField(
        level: level,
        highBit: level == regime.startLevel ? tableBits - 1 : granule.shift(level: level - 1) - 1,
        lowBit: granule.shift(level: level))
    }
  }
}
