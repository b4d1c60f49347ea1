/// The effective attributes of a leaf descriptor: its own bits (`Descriptor.Bits`) with the restrictions of the tables
/// above it.
///
/// (Arm ARM D8.3.3 and D8.4. With permission indirection Linux chose encodings of the same meaning:
/// arch/arm64/include/asm/pgtable-prot.h, 6.8.)
public struct Attributes: Hashable, Sendable {
  /// The leaf descriptor.
  public let descriptor: Descriptor
  /// The restrictions of the tables above.
  public let tables: TableAttributes
  /// Whether the tables serve only one exception level, as those of EL2 without VHE do: bit 54 is then XN, AP[1] is
  /// RES1 and bit 53 is RES0. (Arm ARM D8.4, regimes with a single VA range)
  public let isSingleRange: Bool

  /// Combines a leaf with the tables above it.
  @inlinable public init(_ descriptor: Descriptor, tables: TableAttributes = [], isSingleRange: Bool = false) {
    self.descriptor = descriptor
    self.tables = tables
    self.isSingleRange = isSingleRange
  }

  /// AP[2] (bit 7) clear, or DBM set: the hardware or Linux permits writes; and no APTable forbids it.
  @inlinable public var isWritable: Bool {
    (!descriptor.has(.ap2) || hasDirtyBitModifier) && !tables.contains(.readOnly)
  }
  /// AP[1] (bit 6): EL0 may access it. Never true in tables that do not serve EL0.
  @inlinable public var isUser: Bool { descriptor.has(.ap1) && !isSingleRange && !tables.contains(.noAccessEL0) }
  /// PXN (bit 53) clear here and above. A page that EL0 may write is never executed at EL1 (Arm ARM D8.4.3).
  @inlinable public var isExecutableEL1: Bool {
    !isSingleRange && !descriptor.has(.pxn) && !tables.contains(.noExecuteEL1) && !(isUser && isWritable)
  }
  /// UXN (bit 54) clear here and above.
  @inlinable public var isExecutableEL0: Bool { !isSingleRange && isExecutableByBit54 }
  /// XN (bit 54) clear here and above, in tables that serve only EL2.
  @inlinable public var isExecutableEL2: Bool { isSingleRange && isExecutableByBit54 }
  @inlinable var isExecutableByBit54: Bool { !descriptor.has(.uxn) && !tables.contains(.noExecuteEL0) }
  /// AF (bit 10): accessed since it was mapped.
  @inlinable public var isAccessed: Bool { descriptor.has(.af) }
  /// nG (bit 11) clear: valid for every ASID.
  @inlinable public var isGlobal: Bool { !descriptor.has(.nG) }
  /// DBM (bit 51), the dirty bit modifier, which Linux uses as PTE_WRITE.
  @inlinable public var hasDirtyBitModifier: Bool { descriptor.has(.dbm) }
  /// Contiguous (bit 52): one of a group that a TLB may cache as one.
  @inlinable public var isContiguous: Bool { descriptor.has(.contiguous) }
  /// GP (bit 50): indirect branches into it must land on a BTI instruction.
  @inlinable public var isGuarded: Bool { descriptor.has(.gp) }
  /// AttrIndx (bits 4:2): which byte of MAIR_EL1 gives the memory type.
  @inlinable public var attrIndex: Int {
    Int(truncatingIfNeeded: descriptor.bits.intersection(.attrIndx).rawValue &>> Descriptor.Bits.attrIndxShift)
  }
  /// SH (bits 9:8), nil if the format keeps address bits there.
  @inlinable package func shareability(_ format: DescriptorFormat) -> Shareability? {
    let field = descriptor.bits.intersection(.sh).rawValue &>> Descriptor.Bits.shShift
    return format.hasShareability ? Shareability(rawValue: UInt8(truncatingIfNeeded: field)) : nil
  }

  /// SH: the shareability domain.
  @usableFromInline package enum Shareability: UInt8, Hashable, Sendable {
    /// 00.
    case nonShareable = 0
    /// 01, which no kernel writes.
    case reserved = 1
    /// 10.
    case outer = 2
    /// 11, what Linux writes for normal memory.
    case inner = 3
  }
}
