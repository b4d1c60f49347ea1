/// Where the 64-bit descriptor keeps its output address, and at which levels it may be a block.
///
/// There are three formats, which cannot be merged under one mask: the bits that hold OA[51:50] under LPA2 are
/// otherwise the shareability field.
///
///     bit        63    59 58    50 49 48 47            16 15   12 11 10 9    8 7      2 1 0
///     48-bit     [ attrs | attrs  ] 0  0 [ OA 47:16      |OA 15:12| attrs | SH  | attrs |type]
///     64K, LPA   [ attrs | attrs  ] 0  0 [ OA 47:16      |OA 51:48| attrs | SH  | attrs |type]
///     LPA2       [ attrs | attrs  ][ OA 49:16            |OA 15:12| attrs |51:50| attrs |type]
///
/// (Arm ARM D8.3.1 and D8.3.2; FEAT_LPA, FEAT_LPA2.)
@usableFromInline package struct DescriptorFormat: Hashable, Sendable {
  /// The address bits that are in place in the descriptor, before the granule or block mask.
  @usableFromInline package let lowMask: UInt64
  /// The descriptor bits that hold the high address bits.
  @usableFromInline package let highMask: UInt64
  /// The left shift of those.
  @usableFromInline package let highShift: UInt64
  /// The lowest level (-1 to 3) at which bits[1:0] = 01 is a block; it is reserved above it and at level 3.
  @usableFromInline package let firstBlockLevel: Int
  /// Whether bits 9:8 are shareability. Under LPA2 it comes from TCR_EL1.SH1 instead.
  @usableFromInline package let hasShareability: Bool

  /// Every bit that may hold the address of a page or table.
  package var addressBits: Descriptor.Bits { Descriptor.Bits(rawValue: lowMask | highMask) }

  /// Output addresses of up to 48 bits.
  package static func bits48(_ granule: Granule) -> Self {
    Self(
      lowMask: 0x0000_ffff_ffff_f000, highMask: 0, highShift: 0,
      firstBlockLevel: granule == .fourKiB ? 1 : 2, hasShareability: true)
  }

  /// 64 KiB granule with FEAT_LPA: OA[51:48] in bits 15:12, which are zero where the addresses are
  /// shorter. A 4 TiB block at level 1 is legal.
  package static let lpa64KiB = Self(
    lowMask: 0x0000_ffff_ffff_0000, highMask: 0xf000, highShift: 36, firstBlockLevel: 1,
    hasShareability: true)

  /// 4 and 16 KiB granules with TCR_EL1.DS = 1: OA[49:12] in place, OA[51:50] in bits 9:8. Blocks of
  /// 512 GiB (4 KiB, level 0) and 64 GiB (16 KiB, level 1) are legal.
  package static func lpa2(_ granule: Granule) -> Self {
    Self(
      lowMask: 0x0003_ffff_ffff_f000, highMask: 0x300, highShift: 42,
      firstBlockLevel: granule == .fourKiB ? 0 : 1, hasShareability: false)
  }

  /// The bits that a table descriptor may have besides its type: the address of the next table, AF (FEAT_HAFT), and the
  /// restrictions in bits 63:59. Linux leaves all others zero. (Arm ARM D8.3.1)
  package var tableBits: UInt64 { lowMask | highMask | Descriptor.Bits([.af, .tableRestrictions]).rawValue }

  /// The bits that a table descriptor of some format may have.
  package static let anyTableBits = [bits48(.fourKiB), lpa64KiB, lpa2(.fourKiB)].reduce(0) { $0 | $1.tableBits }

  /// The output address of `descriptor`, whose entry covers 2^`shift` bytes (the granule's shift for a table or page).
  /// The block mask clears only bits that are in place: under LPA the high bits come from below the block size.
  @inlinable @inline(__always)
  package func outputAddress(_ descriptor: UInt64, shift: Int) -> PhysicalAddress {
    let inPlace = descriptor & lowMask & ~((1 &<< UInt64(truncatingIfNeeded: shift)) &- 1)
    return PhysicalAddress(inPlace | (descriptor & highMask) &<< highShift)
  }

  /// The format without `bits`, which are not part of the address on this system.
  package func ignoring(_ bits: UInt64) -> Self {
    Self(
      lowMask: lowMask & ~bits, highMask: highMask & ~bits, highShift: highShift, firstBlockLevel: firstBlockLevel,
      hasShareability: hasShareability)
  }
}
