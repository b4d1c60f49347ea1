import VMSA

/// Which address bits index the tables of a level.
package struct LookupField: Hashable, Sendable {
  /// The level: -1 to 3.
  package let level: Int
  /// The highest bit of the index.
  package let highBit: Int
  /// The lowest bit of the index.
  package let lowBit: Int
}

extension LayoutConfiguration {
  /// The width that the kernel's tables are shaped for: the configured one with 64 KiB pages, the one in use with
  /// others. (Documentation/arch/arm64/memory.rst, "52-bit VA support in the kernel"; 6.9 for the rest)
  package var tableBits: Int { paging.tableBits }

  /// How an address is looked up, from the root down.
  package var lookup: [LookupField] {
    TranslationRegime(
      register: .ttbr1EL1, granule: granule, tableBits: tableBits, format: .bits48(granule),
      root: PhysicalAddress(0)
    ).lookup
  }
}

extension TranslationRegime {
  /// How an address is looked up, from the root down.
  package var lookup: [LookupField] {
    (startLevel...3).map { level in
      LookupField(
        level: level,
        highBit: level == startLevel ? tableBits - 1 : granule.shift(level: level - 1) - 1,
        lowBit: granule.shift(level: level))
    }
  }
}
