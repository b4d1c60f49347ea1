extension Descriptor {
  /// The bits of a stage-1 descriptor by Arm's names.
  ///
  ///     page, block
  ///     63 62  59 58      55  54  53   52  51 50 49           12  11  10 9     8      7      6  5 4      2     1     0
  ///     | | PBHA | software |UXN|PXN|Cont|DBM|GP|output address | nG| AF|  SH   | AP[2]| AP[1]|NS|AttrIndx|table|valid|
  ///
  ///     table
  ///          63 62      61       60       59 58       50 49           12  11  10 9                         2     1     0
  ///     |NSTable| APTable |UXNTable|PXNTable|  ignored   |table address |    | AF|          ignored          |table|valid|
  ///
  /// `DescriptorFormat` has the exact address bits: LPA keeps some in 15:12, LPA2 in 9:8 in place of SH. (Arm ARM
  /// D8.3.1 and D8.3.2; AF in tables: FEAT_HAFT)
  @usableFromInline
  package struct Bits: OptionSet, Hashable, Sendable {
    @usableFromInline package let rawValue: UInt64
    /// Makes a set of bits, in their places in the descriptor.
    @inlinable package init(rawValue: UInt64) { self.rawValue = rawValue }

    // MARK: Both

    /// Bit 0: the entry maps something, or leads to a table.
    @inlinable package static var valid: Self { Self(rawValue: 1 << 0) }
    /// Bit 1: a table above level 3, a page at level 3; clear in a block.
    @inlinable package static var table: Self { Self(rawValue: 1 << 1) }
    /// AF, bit 10: the memory, or the table (FEAT_HAFT), was used.
    @inlinable package static var af: Self { Self(rawValue: 1 << 10) }
    /// Bits 49:12, where addresses are: the output address and, below the granule or block, ignored bits.
    @inlinable package static var address: Self { Self(rawValue: 0x0003_ffff_ffff_f000) }

    // MARK: Pages and blocks

    /// AttrIndx, bits 4:2: which byte of MAIR gives the memory type.
    @inlinable package static var attrIndx: Self { Self(rawValue: 7 << attrIndxShift) }
    @inlinable package static var attrIndxShift: UInt64 { 2 }
    /// NS, bit 5: ignored outside the secure state.
    @inlinable package static var ns: Self { Self(rawValue: 1 << 5) }
    /// AP[1], bit 6: EL0 has access. RES1 in tables that serve only EL2.
    @inlinable package static var ap1: Self { Self(rawValue: 1 << 6) }
    /// AP[2], bit 7: read-only.
    @inlinable package static var ap2: Self { Self(rawValue: 1 << 7) }
    /// SH, bits 9:8, except under LPA2.
    @inlinable package static var sh: Self { Self(rawValue: 3 << shShift) }
    @inlinable package static var shShift: UInt64 { 8 }
    /// nG, bit 11: valid only for one ASID.
    @inlinable package static var nG: Self { Self(rawValue: 1 << 11) }
    /// GP, bit 50: indirect branches into it must land on a BTI instruction.
    @inlinable package static var gp: Self { Self(rawValue: 1 << 50) }
    /// DBM, bit 51: hardware may clear AP[2] at a write; Linux's PTE_WRITE.
    @inlinable package static var dbm: Self { Self(rawValue: 1 << 51) }
    /// Contiguous, bit 52: one of a group that a TLB may cache as one.
    @inlinable package static var contiguous: Self { Self(rawValue: 1 << 52) }
    /// PXN, bit 53: not executable at EL1. RES0 in tables that serve only EL2.
    @inlinable package static var pxn: Self { Self(rawValue: 1 << 53) }
    /// UXN, bit 54: not executable at EL0. XN in tables that serve only EL2.
    @inlinable package static var uxn: Self { Self(rawValue: 1 << 54) }
    /// Bits 58:55, which hardware leaves to software.
    @inlinable package static var software: Self { Self(rawValue: 0xf << 55) }
    /// Bit 63, which hardware ignores and Linux leaves clear.
    @inlinable package static var bit63: Self { Self(rawValue: 1 << 63) }

    // MARK: Tables

    /// PXNTable, bit 59: nothing below is executable at EL1.
    @inlinable package static var pxnTable: Self { Self(rawValue: 1 << 59) }
    /// UXNTable, bit 60: nothing below is executable at EL0.
    @inlinable package static var uxnTable: Self { Self(rawValue: 1 << 60) }
    /// APTable[0], bit 61: EL0 has no access to anything below.
    @inlinable package static var apTable0: Self { Self(rawValue: 1 << 61) }
    /// APTable[1], bit 62: everything below is read-only.
    @inlinable package static var apTable1: Self { Self(rawValue: 1 << 62) }
    /// Bits 63:59: what restricts everything below.
    @inlinable package static var tableRestrictions: Self { Self(rawValue: 0x1f << 59) }
  }

  /// The bits of the entry.
  @inlinable @inline(__always)
  package var bits: Bits { Bits(rawValue: rawValue) }

  /// Whether all of `bits` are set.
  @inlinable @inline(__always)
  package func has(_ bits: Bits) -> Bool { rawValue & bits.rawValue == bits.rawValue }
}
