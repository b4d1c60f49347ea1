import VMSA

/// A dump format: physical memory, notes, and what the file says of itself. One type for each format.
public protocol DumpContainer: PhysicalMemory {
  /// The notes.
  var notes: DumpNotes { get }
  /// What `info` shows.
  var summary: DumpSummary { get }
}

/// What a dump file says of itself.
public struct DumpSummary: Sendable {
  /// The format in words, such as "ELF".
  public var format: String
  /// Bytes of memory that can be read.
  public var bytesPresent: UInt64
  /// Bytes of memory that the machine had, as far as the dump tells.
  public var bytesTotal: UInt64
  /// Bytes left out when the dump was written.
  public var bytesFiltered: UInt64 = 0
  /// Bytes that should be in the file, but are beyond its end.
  public var bytesCutOff: UInt64 = 0
  /// What the reader should know before trusting the answers, one sentence each.
  public var warnings: [String] = []
}
