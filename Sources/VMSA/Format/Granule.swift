/// The translation granule: the size of a page and of a full translation table.
/// (Arm ARM D8.2, TCR_EL1.TG0 and TG1.)
public enum Granule: UInt8, CaseIterable, Hashable, Sendable {
  /// 4 KiB pages, 512 entries per table.
  case fourKiB = 12
  /// 16 KiB pages, 2,048 entries per table.
  case sixteenKiB = 14
  /// 64 KiB pages, 8,192 entries per table.
  case sixtyFourKiB = 16

  /// The granule of `size` bytes, or nil if arm64 has no such granule.
  public init?(size: UInt64) {
    switch size {
    case 4096: self = .fourKiB
    case 16384: self = .sixteenKiB
    case 65536: self = .sixtyFourKiB
    default: return nil
    }
  }

  /// log2 of the page size (PAGE_SHIFT): 12, 14 or 16.
  @inlinable public var pageShift: Int { Int(rawValue) }
  /// The page size in bytes.
  @inlinable public var size: UInt64 { 1 << UInt64(rawValue) }
  /// Address bits that a full table resolves: 9, 11 or 13.
  @inlinable public var indexBits: Int { pageShift &- 3 }

  /// The lowest address bit that a table of `level` (-1 to 3) resolves, which is also log2 of the
  /// memory that one of its entries covers. (`ARM64_HW_PGTABLE_LEVEL_SHIFT`, asm/pgtable-hwdef.h)
  @inlinable public func shift(level: Int) -> Int { indexBits &* (4 &- level) &+ 3 }

  /// The number of adjacent entries that Linux marks contiguous at `level` (`CONT_PTE_SHIFT`, `CONT_PMD_SHIFT`,
  /// asm/pgtable-hwdef.h; Arm ARM table D8-95). 0 if there is no such group.
  package func contiguousEntries(level: Int) -> Int {
    switch (self, level) {
    case (.fourKiB, 1), (.fourKiB, 2), (.fourKiB, 3): 16
    case (.sixteenKiB, 3): 128
    case (.sixteenKiB, 2), (.sixtyFourKiB, 2), (.sixtyFourKiB, 3): 32
    default: 0
    }
  }
}
