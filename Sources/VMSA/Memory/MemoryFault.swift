/// Why a physical address is unreadable. Absent memory never reads as zero.
public enum Absence: UInt8, Hashable, Sendable {
  /// The dump has no memory at this address: a hole, a device, or memory that was not dumped.
  case notInDump
  /// The page was left out when the dump was written (makedumpfile's dump level).
  case filtered
  /// The dump should hold it, but the file ends before it.
  case cutOff
  /// The dump is incomplete: the page was lost while it was written.
  case lost
  /// The page is there, but its contents cannot be decoded.
  case damaged
  /// It belongs to a part of a split dump that was not given.
  case inMissingPart
  /// The file could not be read there: its disk or its network failed.
  case unreadable
}

/// A failed read of physical memory: why, and at which address.
public struct MemoryFault: Error, Hashable, Sendable {
  /// Why the bytes are unreadable.
  public let absence: Absence
  /// The first address of the read that is missing.
  public let address: PhysicalAddress
  /// A fault at `address`.
  @inlinable public init(_ absence: Absence, at address: PhysicalAddress) {
    self.absence = absence
    self.address = address
  }
}
