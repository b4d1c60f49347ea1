/// A set of translation tables and how to read it: the whole geometry as data, for a single walker.
///
/// A granule resolves `indexBits` address bits per level; the number of levels follows from the width of the addresses,
/// and the root table resolves only what is left over:
///
///     granule/VA  levels  start   root entries      granule/VA  levels  start  root entries
///     4K/39       3       L1      512               16K/47      3       L1     2048
///     4K/48       4       L0      512               16K/48      4       L0     2
///     4K/52       5       L-1     16                16K/52      4       L0     32
///     16K/36      2       L2      2048              64K/42      2       L2     8192
///     64K/48      3       L1      64                64K/52      3       L1     1024
///
/// (Arm ARM D8.2.7 to D8.2.9; CONFIG_PGTABLE_LEVELS in arch/arm64/Kconfig.)
public struct TranslationRegime: Hashable, Sendable {
  /// The register that holds the root.
  public let register: Register
  /// The page and table size.
  public let granule: Granule
  /// The width that the tables are shaped for: it sets the number of levels and the size of the root.
  public let tableBits: Int
  /// The width that the CPU translates (64 - TCR_EL1.TnSZ). Smaller than `tableBits` if a 64 KiB, 52-bit kernel runs on
  /// 48-bit hardware with tables of the larger shape.
  public let addressBits: Int
  /// Where descriptors keep their output address.
  @usableFromInline package let format: DescriptorFormat
  /// Output addresses must lie below 2^`physicalBits`.
  public let physicalBits: Int
  /// The physical address of the root table.
  public let root: PhysicalAddress
  /// The level of the root table: -1 to 3.
  public let startLevel: Int

  /// A base register of stage-1 tables.
  public enum Register: String, Hashable, Sendable {
    /// The lower half: user space.
    case ttbr0EL1 = "TTBR0_EL1"
    /// The upper half: the kernel.
    case ttbr1EL1 = "TTBR1_EL1"
    /// The hypervisor's own tables, for addresses of the lower half.
    case ttbr0EL2 = "TTBR0_EL2"

    /// Whether it translates addresses with bit 55 set.
    @inlinable package var isUpperHalf: Bool { self == .ttbr1EL1 }
    /// Whether the tables serve only one exception level: those of EL2 without VHE.
    @inlinable package var isSingleRange: Bool { self == .ttbr0EL2 }
  }

  /// Describes a set of tables.
  ///
  /// - Parameters:
  ///   - tableBits: from `granule.pageShift + 1` to 52.
  ///   - addressBits: `tableBits` unless the CPU translates fewer.
  package init(
    register: Register, granule: Granule, tableBits: Int, addressBits: Int? = nil, format: DescriptorFormat,
    physicalBits: Int = 52, root: PhysicalAddress
  ) {
    self.register = register
    self.granule = granule
    self.tableBits = min(max(tableBits, granule.pageShift + 1), 52)
    self.addressBits = min(addressBits ?? tableBits, self.tableBits)
    self.format = format
    self.physicalBits = min(max(physicalBits, granule.pageShift), 52)
    self.root = root
    startLevel = 4 - (self.tableBits - 4) / granule.indexBits
  }

  /// The number of levels of a walk: 1 to 5. (`ARM64_HW_PGTABLE_LEVELS`, asm/pgtable-hwdef.h)
  @inlinable public var levels: Int { 4 &- startLevel }
  /// Entries of the root table.
  @inlinable package var rootEntries: Int { 1 &<< (tableBits &- granule.shift(level: startLevel)) }
  /// Bytes of the root table, which may be far less than a page.
  @inlinable package var rootSize: Int { rootEntries &* 8 }
}
