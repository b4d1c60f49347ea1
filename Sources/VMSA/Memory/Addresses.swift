import Bytes

/// A physical address: what descriptors hold and dumps are indexed by. At most 52 bits on arm64.
public struct PhysicalAddress: RawRepresentable, Hashable, Comparable, Sendable {
  /// The address as a number.
  public var rawValue: UInt64
  /// Takes `rawValue` as it is.
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// Takes `rawValue` as it is.
  @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  /// Order as unsigned numbers.
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
  /// The address `distance` bytes on, modulo 2^64.
  @inlinable public static func &+ (a: Self, distance: UInt64) -> Self { Self(a.rawValue &+ distance) }
}

/// A virtual address as a pointer holds it, tag included.
public struct VirtualAddress: RawRepresentable, Hashable, Comparable, Sendable {
  /// The address as a number.
  public var rawValue: UInt64
  /// Takes `rawValue` as it is.
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// Takes `rawValue` as it is.
  @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  /// Order as unsigned numbers.
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
  /// The address `distance` bytes on, modulo 2^64.
  @inlinable public static func &+ (a: Self, distance: UInt64) -> Self { Self(a.rawValue &+ distance) }

  /// Whether the upper half (TTBR1_EL1) translates it: bit 55, whatever the tag. (Arm ARM D8.2.4, the selection between
  /// TTBR0 and TTBR1.)
  @inlinable public var isUpperHalf: Bool { rawValue >> 55 & 1 == 1 }

  /// The address without a tag: bits 63:56 made equal to bit 55, as the MMU does under TBI.
  @inlinable public var untagged: Self { Self(UInt64(bitPattern: Int64(bitPattern: rawValue << 8) >> 8)) }

  /// The top byte, if it is not the sign extension of bit 55: a tag of KASAN, MTE or the program.
  @inlinable public var tag: UInt8? { untagged == self ? nil : UInt8(truncatingIfNeeded: rawValue >> 56) }

  /// Whether an untagged address lies in the top or bottom 2^`bits` bytes of the 64-bit space: bits 63 down to `bits`
  /// all equal to bit 55.
  @inlinable public func isCanonical(bits: Int) -> Bool {
    let rest = Int64(bitPattern: rawValue) &>> Int64(truncatingIfNeeded: bits)
    return rest == 0 || rest == -1
  }
}

extension PhysicalAddress: CustomStringConvertible {
  /// Hex digits after `0x`, as kva prints addresses.
  public var description: String { hex(rawValue) }
}

extension VirtualAddress: CustomStringConvertible {
  /// Hex digits after `0x`, as kva prints addresses.
  public var description: String { hex(rawValue) }
}
