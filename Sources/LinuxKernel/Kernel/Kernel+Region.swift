import Bytes
import KernelLayout
import VMSA

extension Kernel {
  /// The region that `address`, which has no tag, is in; nil if the layout is unknown.
  ///
  /// - Parameter physical: where the tables map it. The image is what lies at kimage_voffset from its frames.
  public func region(of address: VirtualAddress, mappedTo physical: PhysicalAddress?) -> Region? {
    contents.regions.region(of: address, mappedTo: physical)
  }

  /// The addresses of `region`; empty if this kernel has none, or its layout is not known.
  public func addresses(of region: Region) -> [ClosedRange<UInt64>] {
    contents.regions.map(in: self.dump).pieces.filter { $0.region == region }.map { $0.first...$0.last }
  }

  /// The addresses of the kernel image: by its symbols, or else as far around `_stext` as the tables map
  /// addresses to the frames that kimage_voffset gives.
  package func imageSpan() -> ClosedRange<UInt64>? { context.image.addresses(regime, in: self.dump) }

  /// The section of the kernel image that `address` is in, if the symbols bound them: "text", "rodata", "init",
  /// "data" or "bss".
  package func imageSection(of address: VirtualAddress) -> String? {
    contents.sections.value.section(of: address.rawValue)
  }

  /// The page frame that `address` stands for: in the linear map its own, in vmemmap the one whose
  /// `struct page` it lies in. Nil elsewhere, and where the offsets are not known.
  package func frame(of address: VirtualAddress, in region: Region?, mappedTo physical: PhysicalAddress?) -> UInt64? {
    switch region {
    case .linearMap?: physical.map { $0.rawValue >> UInt64(regime.granule.pageShift) }
    case .vmemmap?: context.vmemmap(contents.arithmetic.value)?.frame(describedAt: address)
    default: nil
    }
  }

  /// The slot of the fixmap that `address` is in.
  package func fixmapSlot(of address: VirtualAddress, in region: Region?) -> UInt64? {
    region == .fixmap ? FixmapSlots(context: context).slot(of: address.rawValue) : nil
  }

  /// Where the kernel's own arithmetic puts addresses, to hold the tables against.
  package var arithmetic: Arithmetic { contents.arithmetic.value }
}
