import Bytes
import CrashDump
import KernelLayout
import VMSA

/// Looks up the region of this kernel that an address is in.
struct RegionLookup: Sendable {
  private let regime: TranslationRegime
  private let layout: AddressLayout?
  private let image: ImageSpan
  private let sections: Lazy<ImageSections>
  private let modules: LoadedModules

  init(_ context: KernelContext, _ sections: Lazy<ImageSections>, _ modules: LoadedModules) {
    regime = context.regime
    layout = context.layout.layout
    image = context.image
    self.sections = sections
    self.modules = modules
  }

  /// The region that `address`, which has no tag, is in; nil if the layout is unknown.
  ///
  /// - Parameter physical: where the tables map it; an address at kimage_voffset from its frame is in the image.
  func region(of address: VirtualAddress, mappedTo physical: PhysicalAddress?) -> Region? {
    guard address.isCanonical(bits: regime.addressBits) else { return .notCanonical }
    guard address.isUpperHalf else { return .user }
    let raw = address.rawValue
    if image.contains(raw, mappedTo: physical) { return .kernelImage }
    if image.symbols == nil {
      // Freed init memory is no longer mapped, but its addresses still belong to the image.
      if physical == nil, image.isNear(raw), sections.value.contains(raw) { return .kernelImage }
      // What VMCOREINFO names is in the image, even if the tables are damaged.
      if image.named.contains(raw) { return .kernelImage }
    }
    let region = layout?.region(of: raw)
    // With KASLR modules lie near the image, outside the modules region.
    if region == .vmalloc, physical != nil, modules.containing(raw) != nil { return .modules }
    return region
  }

  /// The kernel's addresses, by the regions of `region(of:mappedTo:)`.
  func map(in dump: DumpFile) -> RegionMap {
    let page = regime.granule.size
    let spans = modules.list.value.elements.flatMap(\.regions).compactMap { range -> Range<UInt64>? in
      let start = range.start & ~(page - 1)
      let (end, overflow) = range.end.addingReportingOverflow(page - 1)
      return overflow || start >= end & ~(page - 1) ? nil : start..<(end & ~(page - 1))
    }
    return RegionMap(
      layout, image: image.addresses(regime, in: dump), modules: spans, first: regime.firstAddress)
  }
}
