import Bytes
import CrashDump
import KernelLayout
import VMSA

/// The extent of the kernel image, from symbols, VMCOREINFO and kimage_voffset.
struct ImageSpan: Sendable {
  /// `_text` to `_end`, from the symbols of a vmlinux; nil without one.
  let symbols: Range<UInt64>?
  /// `_stext`, as VMCOREINFO has it.
  let text: UInt64?
  /// Virtual minus physical address (kimage_voffset).
  let offset: UInt64?
  /// What must be mapped on every machine: from `_stext` to the root table, if that follows the read-only data. Empty
  /// if unknown.
  let alwaysMapped: Range<UInt64>
  /// The data that VMCOREINFO names: data and bss follow the init memory, which is freed after boot. Empty if unknown.
  let namedData: Range<UInt64>

  init(_ facts: KernelFacts, _ layout: DetectedLayout, _ vmcoreinfo: VMCoreInfo?, symbols: Range<UInt64>?) {
    self.symbols = symbols
    text = vmcoreinfo?.symbol("_stext")
    offset = facts.kimageVoffset?.value
    guard let text, let root = facts.swapperVirtual?.value.rawValue, text < root, root - text < ImageReach.largest,
      offset != nil, layout.era?.since.has(.rootTableBehindReadOnlyData) ?? false
    else {
      alwaysMapped = 0..<0
      namedData = 0..<0
      return
    }
    alwaysMapped = text..<root
    // VMCOREINFO gives these two by value, not by address.
    let values = Set(["mem_section", "vmemmap"].compactMap { vmcoreinfo?.symbol($0) })
    let data = (vmcoreinfo?.symbols ?? []).map(\.value).filter {
      $0 >= root + facts.granule.value.size && $0 - root < ImageReach.largest && !values.contains($0)
    }
    namedData = (data.min() ?? 0)..<(data.max() ?? 0)
  }

  /// From `_stext` to the last object of the image that VMCOREINFO names.
  var named: Range<UInt64> { alwaysMapped.lowerBound..<max(alwaysMapped.upperBound, namedData.upperBound) }

  /// Whether `address` in the image is in its data or bss: by `sections` if known, else if it is after the root table,
  /// which ends the read-only data, and `isWritable`.
  func isData(_ address: UInt64, _ sections: ImageSections, isWritable: @autoclosure () -> Bool) -> Bool {
    guard sections.isEmpty else { return ["data", "bss"].contains(sections.section(of: address)) }
    return !alwaysMapped.isEmpty && address >= alwaysMapped.upperBound && isWritable()
  }

  /// Whether `address` is close enough to `_stext` to be in the image.
  func isNear(_ address: UInt64) -> Bool {
    text.map { ImageReach.around($0).contains(address) } ?? false
  }

  /// Whether `address`, mapped to `physical`, is in the image: by symbols, or at kimage_voffset near `_stext`.
  func contains(_ address: UInt64, mappedTo physical: PhysicalAddress?) -> Bool {
    if let symbols { return symbols.contains(address) }
    guard let physical, let offset else { return false }
    return address &- offset == physical.rawValue && isNear(address)
  }

  /// The addresses of the image: from its symbols, or else the range around `_stext` that the tables map at
  /// kimage_voffset.
  func addresses(_ regime: TranslationRegime, in dump: DumpFile) -> ClosedRange<UInt64>? {
    if let symbols { return symbols.lowerBound...(symbols.upperBound - 1) }
    guard let offset, let text, VirtualAddress(text).isUpperHalf,
      VirtualAddress(text).isCanonical(bits: regime.addressBits)
    else { return nil }
    let range = ImageReach.around(text)
    var finder = ImageFinder(offset: offset)
    _ = regime.sweep(
      range.lowerBound...range.upperBound, in: dump.memory, tableLimit: dump.tableLimit(regime.granule),
      observer: &finder)
    guard let first = finder.first, let last = finder.last else { return nil }
    return first...last
  }
}

/// Finds the lowest and highest address mapped at the image's offset.
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
