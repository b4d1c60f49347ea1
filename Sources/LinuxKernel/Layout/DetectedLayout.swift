import Bytes
import KernelLayout
import VMSA

/// The layout of the kernel in a dump: its era from evidence, its bounds from VMCOREINFO where that has them.
package struct DetectedLayout: Sendable {
  /// The era; nil if unknown.
  package let era: LayoutEra?
  /// The configuration that the bounds were computed for.
  package let configuration: LayoutConfiguration
  /// The bounds; nil if neither VMCOREINFO nor the era give them.
  package let layout: AddressLayout?
  /// The evidence for the era.
  package let evidence: String
  /// The lines of VMCOREINFO that gave the bounds of regions.
  package let linesOfVMCoreInfo: [Region: String]

  /// KASAN's shadow mapping; nil without KASAN, and in its hardware mode.
  package var kasanShadow: KASANShadow? {
    layout?.kasanShadow.flatMap { KASANShadow(configuration.kasan, end: $0.end) }
  }

  /// Finds the layout.
  ///
  /// - Parameter physical: where the tables map an address; nil if they do not.
  init(_ facts: KernelFacts, _ vmcoreinfo: VMCoreInfo?, physical: (UInt64) -> PhysicalAddress?) {
    var configuration = LayoutConfiguration(
      granule: facts.granule.value, vaBits: facts.vaBits.value, vaBitsActual: facts.vaBitsActual.value)
    if let size = vmcoreinfo?.size("page") { configuration.structPageSize = UInt64(size) }
    func number(_ name: String) -> UInt64? { vmcoreinfo?.number(name) }
    let image = (vmcoreinfo?.symbol("_stext")).map { $0 &- (facts.kaslrOffset?.value ?? 0) }

    var found: (era: LayoutEra, kasan: LayoutConfiguration.KASAN, evidence: String)?
    if let start = number("MODULES_VADDR"), let end = number("MODULES_END"), let vmemmap = number("VMEMMAP_END") {
      found = LayoutEra.all.first { era in
        let layout = era.layout(configuration)
        return layout.modules.size == end &- start && layout.vmemmap.end == vmemmap
      }.map { ($0, .off, "the bounds in VMCOREINFO") }
    }
    if found == nil, let image {
      search: for era in LayoutEra.all where era.line.map({ vmcoreinfo?.value($0) != nil }) ?? true {
        for kasan in LayoutConfiguration.KASAN.allCases where kasan == .off || era.kasanMovesImage {
          configuration.kasan = kasan
          guard image &- AddressLayout(era: era, configuration).vmalloc.start < 64 << 20 else { continue }
          found = (era, kasan, "the place of _stext without KASLR, \(hex(image)), and the lines of VMCOREINFO")
          break search
        }
      }
    }
    if found == nil, let era = facts.version.flatMap(LayoutEra.of) { found = (era, .off, "the release alone") }
    if found == nil, facts.version == nil, let eras = Self.byVmemmap(facts, configuration, { physical($0) != nil }),
      let newest = eras.first
    {
      let others = eras.dropFirst().map { ", or \($0.name)" }.joined()
      found = (newest, .off, "the tables: vmemmap is where \(newest.name) has it\(others)")
    }
    guard let found else {
      self.init(era: nil, configuration: configuration, layout: nil, evidence: "nothing")
      return
    }

    configuration.kasan = found.kasan
    if !found.era.kasanMovesImage {
      // The location of the image does not depend on KASAN.
      configuration.kasan = Self.kasan(facts, vmcoreinfo, found.era, configuration, physical)
    }
    var layout = AddressLayout(era: found.era, configuration)
    var lines: [Region: String] = [:]
    func replace(_ region: Region, _ span: inout AddressLayout.Span, _ first: String, _ last: String) {
      guard let start = number(first), let end = number(last) else { return }
      span = AddressLayout.Span(start, end)
      lines[region] = "NUMBER(\(first)), NUMBER(\(last))"
    }
    replace(.modules, &layout.modules, "MODULES_VADDR", "MODULES_END")
    replace(.vmalloc, &layout.vmalloc, "VMALLOC_START", "VMALLOC_END")
    replace(.vmemmap, &layout.vmemmap, "VMEMMAP_START", "VMEMMAP_END")
    self.init(
      era: found.era, configuration: configuration, layout: layout, evidence: found.evidence,
      linesOfVMCoreInfo: lines)
  }

  /// The mode of KASAN, from the shadow of addresses that every kernel maps: its root table, in the linear map and in
  /// the image, and its text. Since 5.11 nothing else shows it, and other shadow need not be mapped: RAM holes and,
  /// with KASAN_VMALLOC, unused vmalloc space have none. (`kasan_init_shadow`, arch/arm64/mm/kasan_init.c)
  private static func kasan(
    _ facts: KernelFacts, _ vmcoreinfo: VMCoreInfo?, _ era: LayoutEra, _ configuration: LayoutConfiguration,
    _ physical: (UInt64) -> PhysicalAddress?
  ) -> LayoutConfiguration.KASAN {
    var known = [facts.swapperVirtual?.value.rawValue, vmcoreinfo?.symbol("_stext")].compactMap { $0 }
    let linear = era.layout(configuration).linearMap.start
    let offset = facts.physOffset.map { linear &- $0.value }
    if let offset { known.append(facts.swapperPhysical.value.rawValue &+ offset) }
    known = known.filter { physical($0) != nil }
    guard !known.isEmpty else { return .off }
    return [.generic, .softwareTags].first { mode in
      var other = configuration
      other.kasan = mode
      guard let span = era.layout(other).kasanShadow, let map = KASANShadow(mode, end: span.end) else { return false }
      return known.allSatisfy { address in
        let shadow = map.shadow(of: address)
        guard span.contains(shadow), let frame = physical(shadow) else { return false }
        // Without KASAN these addresses belong to the linear map.
        return offset.map { frame.rawValue &+ $0 != shadow } ?? true
      }
    } ?? .off
  }

  /// The eras in whose layout the `struct page` of the root table's frame is mapped, the newest first; nil if there are
  /// none, or the linear map is unknown.
  private static func byVmemmap(
    _ facts: KernelFacts, _ configuration: LayoutConfiguration, _ isMapped: (UInt64) -> Bool
  ) -> [LayoutEra]? {
    guard let physOffset = facts.physOffset?.value else { return nil }
    let distance = facts.swapperPhysical.value.rawValue &- physOffset
    let page = distance >> UInt64(configuration.granule.pageShift) &* configuration.structPageSize
    let eras = LayoutEra.all.filter { era in
      let layout = AddressLayout(era: era, configuration)
      return isMapped(layout.linearMap.start &+ distance) && isMapped(layout.vmemmap.start &+ page)
    }
    return eras.isEmpty ? nil : eras
  }

  private init(
    era: LayoutEra?, configuration: LayoutConfiguration, layout: AddressLayout?, evidence: String,
    linesOfVMCoreInfo: [Region: String] = [:]
  ) {
    self.linesOfVMCoreInfo = linesOfVMCoreInfo
    self.era = era
    self.configuration = configuration
    self.layout = layout
    self.evidence = evidence
  }
}
