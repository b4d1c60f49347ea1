/// What a leaf descriptor allows, in effect: its own bits with those of the tables above it.
///
///     63 62    59 58    55  54  53  52   51  50 | 11 10 9  8  7     6    5  4      2 1  0
///     |  | PBHA | software |UXN|PXN|Cont|DBM|GP | nG AF  SH  AP[2] AP[1] NS AttrIndx  type
///
/// (Arm ARM D8.3.3 and D8.4. With permission indirection Linux chose encodings of the same meaning:
/// arch/arm64/include/asm/pgtable-prot.h, 6.8.)
@frozen
public struct Attributes: Hashable, Sendable {
  /// The leaf descriptor.
  public let descriptor: Descriptor
  /// What the tables above forbid.
  public let tables: TableAttributes
  /// Whether the tables serve one exception level alone, as those of EL2 without VHE do: bit 54 is then XN,
  /// AP[1] is RES1 and bit 53 is RES0. (Arm ARM D8.4, regimes with a single VA range)
  public let isSingleRange: Bool

  /// Combines a leaf with the tables above it.
  @inlinable public init(_ descriptor: Descriptor, tables: TableAttributes = [], isSingleRange: Bool = false) {
    self.descriptor = descriptor
    self.tables = tables
    self.isSingleRange = isSingleRange
  }

  @inlinable func bit(_ number: UInt64) -> Bool { descriptor.rawValue &>> number & 1 == 1 }

  /// AP[2] (bit 7) clear, or DBM set: the hardware or Linux lets a write through; and no APTable forbids it.
  @inlinable public var isWritable: Bool {
    (!bit(7) || isDirtyBitModified) && !tables.contains(.readOnly)
  }
  /// AP[1] (bit 6): EL0 may access it. Never so where EL0 has no part in the tables.
  @inlinable public var isUser: Bool { bit(6) && !isSingleRange && !tables.contains(.noAccessEL0) }
  /// PXN (bit 53) clear here and above. A page that EL0 may write is never executed at EL1 (Arm ARM D8.4.3).
  @inlinable public var isExecutableEL1: Bool {
    !isSingleRange && !bit(53) && !tables.contains(.noExecuteEL1) && !(isUser && isWritable)
  }
  /// UXN (bit 54) clear here and above.
  @inlinable public var isExecutableEL0: Bool { !isSingleRange && isExecutableByBit54 }
  /// XN (bit 54) clear here and above, in tables of EL2 alone.
  @inlinable public var isExecutableEL2: Bool { isSingleRange && isExecutableByBit54 }
  @inlinable var isExecutableByBit54: Bool { !bit(54) && !tables.contains(.noExecuteEL0) }
  /// AF (bit 10): accessed since it was mapped.
  @inlinable public var isAccessed: Bool { bit(10) }
  /// nG (bit 11) clear: one entry for every ASID.
  @inlinable public var isGlobal: Bool { !bit(11) }
  /// DBM (bit 51), which Linux uses as PTE_WRITE.
  @inlinable public var isDirtyBitModified: Bool { bit(51) }
  /// Contiguous (bit 52): one of a group that a TLB may hold as one.
  @inlinable public var isContiguous: Bool { bit(52) }
  /// GP (bit 50): branches into it must land on BTI.
  @inlinable public var isGuarded: Bool { bit(50) }
  /// AttrIndx (bits 4:2): which byte of MAIR_EL1 gives the memory type.
  @inlinable public var attrIndex: Int { Int(truncatingIfNeeded: descriptor.rawValue &>> 2 & 7) }
  /// SH (bits 9:8), nil where the format keeps address bits there.
  @inlinable public func shareability(_ format: DescriptorFormat) -> Shareability? {
    format.hasShareability ? Shareability(rawValue: UInt8(descriptor.rawValue &>> 8 & 3)) : nil
  }
  /// Bits 58:55, free for software.
  @inlinable public var software: SoftwareBits { SoftwareBits(rawValue: descriptor.rawValue) }

  /// SH: with whom the memory is coherent.
  @frozen
  public enum Shareability: UInt8, Hashable, Sendable {
    /// 00.
    case none = 0
    /// 01, which no kernel writes.
    case reserved = 1
    /// 10.
    case outer = 2
    /// 11, what Linux writes for normal memory.
    case inner = 3
  }
}

/// Linux's use of the software bits of a valid leaf. (arch/arm64/include/asm/pgtable-prot.h)
@frozen
public struct SoftwareBits: OptionSet, Hashable, Sendable {
  /// The bits where the descriptor has them.
  public let rawValue: UInt64
  /// Keeps bits 58:55 of a descriptor.
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue & 0x0780_0000_0000_0000 }
  /// PTE_DIRTY, bit 55.
  public static let dirty = Self(rawValue: 1 << 55)
  /// PTE_SPECIAL, bit 56.
  public static let special = Self(rawValue: 1 << 56)
  /// PTE_DEVMAP, bit 57 (5.3 to 6.14 or so).
  public static let devmap = Self(rawValue: 1 << 57)
  /// PTE_UFFD_WP, bit 58 of a valid entry (6.10 and later).
  public static let userfaultWriteProtect = Self(rawValue: 1 << 58)
}
