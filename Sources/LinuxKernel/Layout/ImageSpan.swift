import CrashDump
import KernelLayout
import VMSA

/// The addresses of a dump's kernel image.
enum ImageSpan {
  /// The addresses of the image as the tables have it: as far around `_stext` as they map addresses to the frames that
  /// kimage_voffset says. nil if nothing says where it is, or nothing of it is mapped.
  static func mapped(
    _ facts: KernelFacts, _ vmcoreinfo: VMCoreInfo?, _ regime: TranslationRegime, in dump: DumpFile
  ) -> ClosedRange<UInt64>? {
    guard let offset = facts.kimageVoffset?.value, let text = vmcoreinfo?.symbol("_stext"),
      VirtualAddress(text).isUpperHalf, VirtualAddress(text).isCanonical(bits: regime.addressBits)
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
