/// A stage-1 translation table entry, 64 bits. (Arm ARM D8.3)
public struct Descriptor: RawRepresentable, Hashable, Sendable {
  /// The raw entry.
  public let rawValue: UInt64
  /// Makes a descriptor from the raw entry.
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// What an entry is, by its bits 1:0 and the level of its table.
  public enum Kind: UInt8, Hashable, Sendable {
    /// Bit 0 is clear: nothing is mapped.
    case invalid
    /// 11 above level 3: the address of the next table.
    case table
    /// 01 where the format allows it: a mapping larger than a page.
    case block
    /// 11 at level 3: a page.
    case page
    /// 01 at level 3 or where the format has no block: an encoding that no kernel writes.
    case reserved
  }

  /// What this entry is in a table of `level` (-1 to 3).
  @inlinable @inline(__always)
  package func kind(level: Int, format: DescriptorFormat) -> Kind {
    switch rawValue & (Bits.valid.rawValue | Bits.table.rawValue) {
    case 3: level == 3 ? .page : .table
    case 1: level < 3 && level >= format.firstBlockLevel ? .block : .reserved
    default: .invalid
    }
  }

  /// Whether this is a table entry whose ignored bits are zero.
  ///
  /// - Parameter bits: the bits that it may have: `tableBits` of its format, or `DescriptorFormat.anyTableBits`.
  @inlinable @inline(__always)
  package func isPlainTable(_ bits: UInt64) -> Bool {
    let meaning = Bits.valid.rawValue | Bits.table.rawValue
    return rawValue & (meaning | ~bits) == meaning
  }

  /// Bits 63:59 of a table descriptor, which restrict everything below it.
  @inlinable package var tableAttributes: TableAttributes { TableAttributes(rawValue: rawValue) }
}

/// The attributes of table descriptors, accumulated on the way down: each can only remove permissions. (Arm ARM D8.4.2;
/// TCR_EL1.HPD1 could disable them, but Linux leaves it clear.)
public struct TableAttributes: OptionSet, Hashable, Sendable {
  /// The bits in their places in the descriptor.
  public let rawValue: UInt64
  /// Keeps the attribute bits of a table descriptor.
  @inlinable public init(rawValue: UInt64) {
    self.rawValue = rawValue & Descriptor.Bits.tableRestrictions.rawValue
  }
  /// PXNTable, bit 59: no execution at EL1.
  public static let noExecuteEL1 = Self(rawValue: Descriptor.Bits.pxnTable.rawValue)
  /// UXNTable (XNTable), bit 60: no execution at EL0.
  public static let noExecuteEL0 = Self(rawValue: Descriptor.Bits.uxnTable.rawValue)
  /// APTable[0], bit 61: no access from EL0.
  public static let noAccessEL0 = Self(rawValue: Descriptor.Bits.apTable0.rawValue)
  /// APTable[1], bit 62: no writing.
  public static let readOnly = Self(rawValue: Descriptor.Bits.apTable1.rawValue)

  /// The restrictions that `leaf` itself implies, so that the same ones in tables above change nothing.
  @inlinable
  package static func implied(by leaf: Descriptor) -> Self {
    var implied: Self = []
    if leaf.has(.pxn) { implied.insert(.noExecuteEL1) }
    if leaf.has(.uxn) { implied.insert(.noExecuteEL0) }
    if !leaf.has(.ap1) { implied.insert(.noAccessEL0) }
    if !Attributes(leaf).isWritable { implied.insert(.readOnly) }
    return implied
  }
}
