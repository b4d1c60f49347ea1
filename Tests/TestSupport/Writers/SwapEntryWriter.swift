/// Writes page table entries of pages in swap, bit by bit, as each era of kernels lays them out.
///
///     kernel          type    offset   bits that mean something besides
///     4.0 to 5.18     7:2     57:8     58 PROT_NONE
///     5.19 to 6.9     7:3     57:8     2 exclusive, 58 PROT_NONE
///     6.10 and later  10:6    61:12    2 exclusive, 3 uffd-wp, 11 present
///
/// (arch/arm64/include/asm/pgtable.h of 5.10, 6.1 and 6.12.)
public enum SwapEntryWriter: String, CaseIterable, Sendable {
  case v4 = "5.10.0"
  case v519 = "6.1.0"
  case v610 = "6.12.0"

  /// The places of the bits of the type and of the offset, the lowest first.
  private var places: (type: [UInt64], offset: [UInt64]) {
    switch self {
    case .v4: (Array(2...7), Array(8...57))
    case .v519: (Array(3...7), Array(8...57))
    case .v610: (Array(6...10), Array(12...61))
    }
  }

  /// Bits of the type that the entry has room for.
  public var typeBits: Int { places.type.count }
  /// Bits of the offset.
  public var offsetBits: Int { places.offset.count }
  /// Flags that a swap entry may have besides.
  public var flags: [UInt64] {
    switch self {
    case .v4: []
    case .v519: [1 << 2]
    case .v610: [1 << 2, 1 << 3]
    }
  }

  /// The entry for slot `offset` of swap area `type`.
  public func entry(type: Int, offset: UInt64) -> UInt64 {
    var entry: UInt64 = 0
    for (bit, place) in places.type.enumerated() where type >> bit & 1 == 1 { entry |= 1 << place }
    for (bit, place) in places.offset.enumerated() where offset >> UInt64(bit) & 1 == 1 { entry |= 1 << place }
    return entry
  }
}
