import Bytes
import CrashDump
import KernelLayout
import VMSA

/// Where the kernel's own arithmetic puts an address, to hold the tables against.
public struct Arithmetic: Sendable {
  /// An address by arithmetic.
  public struct Answer: Hashable, Sendable {
    /// The rule in words, such as "virtual - kimage_voffset".
    public let rule: String
    /// Where it puts the address.
    public let physical: PhysicalAddress
  }

  /// Virtual minus physical address in the linear map, modulo 2^64; nil where nothing tells it.
  public let linearOffset: Sourced<UInt64>?
  /// Virtual minus physical address of the kernel image (kimage_voffset).
  public let imageOffset: UInt64?

  /// Learns the offsets of `kernel`.
  ///
  /// PHYS_OFFSET does not describe the linear map of 5.4 to 5.9: there `physvirt_offset` is computed before
  /// memstart_addr is clipped and randomised (mended in 7bc1a0f9e176, 5.10). Without that variable the
  /// linear map's first entry says how it lies, and the others are held against it.
  public init(_ kernel: Kernel) {
    imageOffset = kernel.facts.kimageVoffset?.value
    guard let layout = kernel.layout.layout else {
      linearOffset = nil
      return
    }
    let version = kernel.facts.release.flatMap { KernelVersion(release: $0.value) }
    let isDetached =
      kernel.layout.era?.top == .twoMiBGuards && (version.map { $0 < KernelVersion(5, 10) } ?? true)
    let isGiven = kernel.facts.physOffset?.source.hasPrefix("--") ?? false
    if !isDetached || isGiven, let physOffset = kernel.facts.physOffset {
      linearOffset = Sourced(layout.linearMap.start &- physOffset.value, physOffset.source)
      return
    }
    if let symbol = kernel.symbols.symbol(named: "physvirt_offset"),
      let leaf = kernel.translate(VirtualAddress(symbol.address)).leaf,
      let word = try? kernel.dump.memory.word(at: PhysicalAddress(leaf.physical.rawValue & ~7))
    {
      // physical = virtual + physvirt_offset
      linearOffset = Sourced(0 &- word, "the variable physvirt_offset")
      return
    }
    let found = kernel.regime.linearOffset(in: layout.linearMap, of: kernel.dump)
    linearOffset = found.map { Sourced($0, "the first entry of the linear map") }
  }

  /// Where arithmetic puts `address`, which lies in `region`; nil where there is no rule for it.
  public func answer(_ address: VirtualAddress, in region: Region?) -> Answer? {
    switch region {
    case .linearMap?:
      guard let linearOffset else { return nil }
      return Answer(
        rule: "virtual - \(hex(linearOffset.value)), by \(linearOffset.source)",
        physical: PhysicalAddress(address.rawValue &- linearOffset.value))
    case .kernelImage?:
      guard let imageOffset else { return nil }
      return Answer(
        rule: "virtual - kimage_voffset \(hex(imageOffset))",
        physical: PhysicalAddress(address.rawValue &- imageOffset))
    default: return nil
    }
  }
}

extension TranslationRegime {
  /// Virtual minus physical address of the first entry of the linear map; nil where it has none.
  func linearOffset(in linear: AddressLayout.Span, of dump: DumpFile) -> UInt64? {
    let first = max(linear.start, firstAddress)
    let last = linear.end &- 1
    guard first <= last else { return nil }
    var finder = FirstLeaf()
    _ = sweep(first...last, in: dump.memory, tableLimit: dump.tableLimit(granule), observer: &finder)
    return finder.offset
  }
}

/// How far the first leaf of a range is moved.
private struct FirstLeaf: SweepObserver {
  var offset: UInt64?
  mutating func enter(_ table: SweptTable) -> Bool { offset == nil }
  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    if offset == nil { offset = entry.virtual.rawValue &- physical.rawValue }
  }
}

extension Kernel {
  /// The part of the kernel image that `address` lies in, where the symbols tell: "text", "rodata", "init",
  /// "data" or "bss". (arch/arm64/kernel/vmlinux.lds.S)
  public func imageSection(of address: VirtualAddress) -> String? {
    contents.imageMarks.value.last { $0.start <= address.rawValue }?.section
  }

  /// The symbols that begin a part, in the order of their addresses, and what begins there.
  static let imageMarkNames: [(symbol: String, section: String?)] = [
    ("_text", "text"), ("_stext", "text"), ("_etext", nil), ("__start_rodata", "rodata"), ("__init_begin", "init"),
    ("__init_end", nil), ("_sdata", "data"), ("_edata", nil), ("__bss_start", "bss"), ("__bss_stop", nil),
    ("_end", nil),
  ]

  /// The page frame that `address` stands for: in the linear map its own, in vmemmap the one whose
  /// `struct page` it lies in. Nil elsewhere, and where the offsets are not known.
  public func frame(of address: VirtualAddress, in region: Region?, mappedTo physical: PhysicalAddress?) -> UInt64? {
    let shift = UInt64(regime.granule.pageShift)
    switch region {
    case .linearMap?: return physical.map { $0.rawValue >> shift }
    case .vmemmap?:
      guard let base = vmemmapBase else { return nil }
      let frame = (address.rawValue &- base) / layout.configuration.structPageSize
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

  /// Where the `struct page` of frame 0 would be (`vmemmap`, arch/arm64/include/asm/pgtable.h): what
  /// VMCOREINFO says (6.9), else by PHYS_OFFSET. In 5.4 to 5.9 it is a variable of its own.
  var vmemmapBase: UInt64? {
    if let base = vmcoreinfo?.symbol("vmemmap") { return base }
    let version = facts.release.flatMap { KernelVersion(release: $0.value) }
    guard layout.era?.top != .twoMiBGuards || version.map({ $0 >= KernelVersion(5, 10) }) ?? false,
      let start = layout.layout?.vmemmap.start, let physOffset = facts.physOffset?.value,
      vmcoreinfo?.size("page") != nil
    else { return nil }
    let frame = UInt64(bitPattern: Int64(bitPattern: physOffset) >> Int64(regime.granule.pageShift))
    return start &- frame &* layout.configuration.structPageSize
  }
}
