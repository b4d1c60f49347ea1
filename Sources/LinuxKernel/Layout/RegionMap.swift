import Bytes
import CrashDump
import KernelLayout
import VMSA

/// The kernel's half of the address space cut into pieces that are of one region each, for passes over all of
/// it: where regions overlap it has what `AddressLayout.region(of:)` says.
struct RegionMap: Sendable {
  /// A piece.
  struct Piece: Hashable, Sendable {
    /// The first address.
    var first: UInt64
    /// The last address.
    var last: UInt64
    /// What it is for; nil where the layout is not known.
    var region: Region?
    func contains(_ address: UInt64) -> Bool { address &- first <= last &- first }
  }

  let pieces: [Piece]

  /// Cuts the addresses from `first` on.
  ///
  /// - Parameter modules: memory of modules, which has their name where it lies in vmalloc space.
  init(_ layout: AddressLayout?, image: ClosedRange<UInt64>?, modules: [Range<UInt64>] = [], first: UInt64) {
    var edges: Set<UInt64> = [first]
    for range in modules { edges.formUnion([range.lowerBound, range.upperBound]) }
    for (_, span) in layout?.regions ?? [] { edges.formUnion([span.start, span.end]) }
    if let image { edges.formUnion([image.lowerBound, image.upperBound &+ 1]) }
    let starts = edges.filter { $0 >= first }.sorted()
    pieces = starts.enumerated().map { index, start in
      let isImage = image?.contains(start) ?? false
      let region = isImage ? .kernelImage : layout?.region(of: start)
      let isModule = region == .vmalloc && modules.contains { $0.contains(start) }
      return Piece(
        first: start, last: index + 1 < starts.count ? starts[index + 1] &- 1 : .max,
        region: isModule ? .modules : region)
    }
  }

  /// The piece that holds `address`.
  func piece(at address: UInt64) -> Piece {
    var low = 0
    var high = pieces.count
    while low < high {
      let middle = (low + high) / 2
      if pieces[middle].last < address { low = middle + 1 } else { high = middle }
    }
    return low < pieces.count && pieces[low].first <= address ? pieces[low] : Piece(first: address, last: address)
  }
}

extension DumpFile {
  /// How many tables of `granule` a pass may read before it is taken to be caught in tables that lead to
  /// themselves: each true table is a page of memory of its own that the dump holds, but for KASAN's.
  func tableLimit(_ granule: Granule) -> Int {
    Int(min(storedBytes >> UInt64(granule.pageShift), UInt64(Limits.sweptTables))) + 4096
  }
}

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

  /// The addresses of the kernel image: by its symbols, or else as far around `_stext` as the tables map
  /// addresses to the frames that kimage_voffset says.
  public func imageSpan() -> ClosedRange<UInt64>? {
    if let image { return image.lowerBound...(image.upperBound - 1) }
    guard let offset = facts.kimageVoffset?.value, let text = vmcoreinfo?.symbol("_stext"),
      VirtualAddress(text).isUpperHalf, VirtualAddress(text).isCanonical(bits: regime.addressBits)
    else { return nil }
    let (last, overflow) = text.addingReportingOverflow(Self.imageReach)
    var finder = ImageFinder(offset: offset)
    sweep((text &- min(text, Self.imageHead))...(overflow ? .max : last), &finder)
    guard let first = finder.first, let last = finder.last else { return nil }
    return first...last
  }

  /// No image is larger: the modules have to reach it. (`arch/arm64/kernel/vmlinux.lds.S`; 2 GiB since 6.5,
  /// but an allyesconfig image has 200 MiB.)
  private static var imageReach: UInt64 { 256 << 20 }
  /// `_stext` is at most this far into the image.
  private static var imageHead: UInt64 { 2 << 20 }
}

/// Finds the lowest and highest address that is mapped as the image is.
private struct ImageFinder: SweepObserver {
  let offset: UInt64
  var first: UInt64?
  var last: UInt64?

  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    guard entry.virtual.rawValue &- offset == physical.rawValue else { return }
    if first == nil { first = entry.virtual.rawValue }
    last = entry.last
  }
  mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {}
}
