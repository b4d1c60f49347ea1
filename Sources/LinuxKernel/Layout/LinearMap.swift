import CrashDump
import DebugInfo
import KernelLayout
import VMSA

/// The offset of the linear map of a dump's kernel.
struct LinearMap: Sendable {
  /// Virtual minus physical address, modulo 2^64; nil if unknown.
  let offset: Sourced<UInt64>?

  /// - Parameter symbol: looks up a symbol of the kernel by name.
  init(
    _ facts: KernelFacts, _ layout: DetectedLayout, _ regime: TranslationRegime, _ dump: DumpFile,
    symbol: (String) -> Symbol?
  ) {
    guard let span = layout.layout?.linearMap else {
      offset = nil
      return
    }
    if let physOffset = facts.physOffset, !Self.isDetached(layout, facts) || physOffset.isOverride {
      offset = Sourced(span.start &- physOffset.value, physOffset.provenance)
      return
    }
    if let symbol = symbol("physvirt_offset"),
      let leaf = dump.memory.walk(regime, VirtualAddress(symbol.address).untagged).leaf,
      let word = try? dump.memory.word(at: PhysicalAddress(leaf.physical.rawValue & ~7))
    {
      // physical = virtual + physvirt_offset
      offset = Sourced(0 &- word, .variable("physvirt_offset"))
      return
    }
    // The other sources are checked against it.
    offset = regime.linearOffset(in: span, of: dump).map { Sourced($0, .tables("the first entry of the linear map")) }
  }

  /// Whether PHYS_OFFSET may fail to describe the linear map: in 5.4 to 5.9 the variable `physvirt_offset` does.
  static func isDetached(_ layout: DetectedLayout, _ facts: KernelFacts) -> Bool {
    layout.era?.hasPhysvirtOffset ?? false && !(facts.has(.memstartDescribesLinearMap) ?? false)
  }
}

extension TranslationRegime {
  /// Virtual minus physical address of the first entry of the linear map; nil if it has none.
  func linearOffset(in linear: AddressLayout.Span, of dump: DumpFile) -> UInt64? {
    let first = max(linear.start, firstAddress)
    let last = linear.end &- 1
    guard first <= last else { return nil }
    var finder = FirstLeaf()
    _ = sweep(first...last, in: dump.memory, tableLimit: dump.tableLimit(granule), observer: &finder)
    return finder.offset
  }
}

/// The offset of the first leaf of a range.
private struct FirstLeaf: SweepObserver {
  var offset: UInt64?
  mutating func enter(_ table: SweptTable) -> Bool { offset == nil }
  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    if offset == nil { offset = entry.virtual.rawValue &- physical.rawValue }
  }
}
