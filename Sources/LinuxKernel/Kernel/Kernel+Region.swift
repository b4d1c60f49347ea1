import Bytes
import KernelLayout
import VMSA

extension Kernel {
  /// The region that `address`, which has no tag, is in; nil if the layout is unknown.
  ///
  /// - Parameter physical: where the tables map it; an address at kimage_voffset from its frame is in the image.
  public func region(of address: VirtualAddress, mappedTo physical: PhysicalAddress?) -> Region? {
    contents.regions.region(of: address, mappedTo: physical)
  }

  /// The addresses of `region`; empty if this kernel does not have it, or its layout is unknown.
  public func addresses(of region: Region) -> [ClosedRange<UInt64>] {
    contents.regions.map(in: self.dump).pieces.filter { $0.region == region }.map { $0.first...$0.last }
  }

  /// The addresses of the kernel image: from its symbols, or else the range around `_stext` that the tables map at
  /// kimage_voffset.
  package func imageSpan() -> ClosedRange<UInt64>? { context.image.addresses(regime, in: self.dump) }

  /// The section of the kernel image that `address` is in, if the symbols bound them: "text", "rodata", "init",
  /// "data" or "bss".
  package func imageSection(of address: VirtualAddress) -> String? {
    contents.sections.value.section(of: address.rawValue)
  }

  /// The page frame that `address` refers to: in the linear map its own, in vmemmap the one whose `struct page` it is
  /// in. nil elsewhere, or if the offsets are unknown.
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

  /// The kernel's own address arithmetic, to check the tables against.
  package var arithmetic: Arithmetic { contents.arithmetic.value }
}
