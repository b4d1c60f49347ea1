import CrashDump
import KernelLayout
import VMSA

extension Kernel {
  /// How many tables a pass may read.
  var tableLimit: Int { self.dump.tableLimit(regime.granule) }

  /// The kernel's addresses by what `resolve` calls them: with KASLR modules lie in vmalloc space, near the image.
  var namedRegions: RegionMap {
    let page = regime.granule.size
    let modules = contents.modules.value.elements.flatMap(\.regions).compactMap { range -> Range<UInt64>? in
      let start = range.start & ~(page - 1)
      let (end, overflow) = range.end.addingReportingOverflow(page - 1)
      return overflow || start >= end & ~(page - 1) ? nil : start..<(end & ~(page - 1))
    }
    return RegionMap(layout.layout, image: imageSpan(), modules: modules, first: regime.firstAddress)
  }

  /// Shows `observer` all entries of the kernel's tables for `range`, in the order of addresses: each table is
  /// read once, so that the cost grows with the tables and not with the address space.
  ///
  /// - Parameters:
  ///   - range: the first and last address, both included; all that the tables translate if nil.
  ///   - tables: tables of user space or of the hypervisor to go through instead of the kernel's.
  /// - Returns: how many tables were read, and whether there were more of them than a dump of this size can hold
  ///   and the rest was left out.
  @discardableResult
  public func sweep<Observer: SweepObserver>(
    _ range: ClosedRange<UInt64>? = nil, of tables: TranslationRegime? = nil, _ observer: inout Observer
  ) -> SweepResult {
    (tables ?? regime).sweep(range, in: self.dump.memory, tableLimit: tableLimit, observer: &observer)
  }

  /// The addresses of the kernel image: by its symbols, or else as the tables have it.
  public func imageSpan() -> ClosedRange<UInt64>? {
    if let image { return image.lowerBound...(image.upperBound - 1) }
    return ImageSpan.mapped(facts, vmcoreinfo, regime, in: self.dump)
  }

  /// The part of the kernel image that `address` lies in, where the symbols tell: "text", "rodata", "init",
  /// "data" or "bss".
  public func imageSection(of address: VirtualAddress) -> String? {
    contents.imageSections.value.section(of: address.rawValue)
  }

  /// The page frame that `address` stands for: in the linear map its own, in vmemmap the one whose
  /// `struct page` it lies in. Nil elsewhere, and where the offsets are not known.
  public func frame(of address: VirtualAddress, in region: Region?, mappedTo physical: PhysicalAddress?) -> UInt64? {
    let shift = UInt64(regime.granule.pageShift)
    switch region {
    case .linearMap?: return physical.map { $0.rawValue >> shift }
    case .vmemmap?:
      guard let frame = vmemmap?.frame(of: address.rawValue) else { return nil }
      return frame < 1 << (52 - shift) ? frame : nil
    default: return nil
    }
  }

  /// The slot of the fixmap that `address` is in (`__virt_to_fix`, include/asm-generic/fixmap.h).
  public func fixmapSlot(of address: VirtualAddress, in region: Region?) -> UInt64? {
    guard region == .fixmap, let top = layout.layout?.fixmap.end else { return nil }
    let page = address.rawValue & ~(regime.granule.size - 1)
    return (top &- page) >> UInt64(regime.granule.pageShift)
  }

  /// The array of `struct page`.
  var vmemmap: Vmemmap? { Vmemmap(layout, vmcoreinfo, linearOffset: plausible.linearOffset) }
  /// The page frames that are free; nil where VMCOREINFO does not describe `struct page`.
  var freePages: FreePages? {
    guard let vmcoreinfo, let vmemmap else { return nil }
    return FreePages(space, vmemmap, vmcoreinfo)
  }
}

extension Arithmetic {
  /// Learns the offsets of `kernel`.
  public init(_ kernel: Kernel) {
    let linearMap = LinearMap(kernel.facts, kernel.layout, kernel.regime, kernel.dump) {
      kernel.symbols.symbol(named: $0)
    }
    self.init(linearMap, imageOffset: kernel.facts.kimageVoffset?.value)
  }
}
