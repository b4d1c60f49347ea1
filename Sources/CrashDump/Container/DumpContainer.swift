import Bytes
import VMSA

/// A dump format: physical memory, notes, and a summary. One type for each format.
protocol DumpContainer: PhysicalMemory {
  /// The notes.
  var notes: DumpNotes { get }
  /// What the reader should know before trusting the answers, one sentence each; cheap to compute.
  var warnings: [Diagnostic] { get }
  /// What `info` shows; counting pages may take a pass over the file's index.
  var summary: DumpSummary { get }
  /// Bytes of memory whose contents the file should hold, missing ones included; cheap to compute.
  var storedBytes: UInt64 { get }
  /// The end of the machine's memory (exclusive), as the dump describes it; cheap to compute.
  var endOfMemory: UInt64 { get }
  /// Memory that reads as zeros because the file has a hole there; cheap to compute.
  var holes: [Range<UInt64>] { get }
  /// makedumpfile's dump level, if the format has one.
  var dumpLevel: Int? { get }
  /// The range of the missing part of a split dump that holds `address`, in words.
  func missingPart(at address: PhysicalAddress) -> String?
}

extension DumpContainer {
  var holes: [Range<UInt64>] { [] }
  var dumpLevel: Int? { nil }
  func missingPart(at address: PhysicalAddress) -> String? { nil }
}

/// What a dump file records about itself.
public struct DumpSummary: Sendable {
  /// The format in words, such as "ELF".
  public var format: String
  /// Bytes of memory that can be read.
  public var bytesPresent: UInt64
  /// Bytes of memory that the machine had, as the dump describes it.
  public var bytesTotal: UInt64
  /// Bytes left out when the dump was written.
  public var bytesFiltered: UInt64 = 0
  /// Bytes that should be in the file, but are beyond its end.
  public var bytesCutOff: UInt64 = 0
  /// Bytes of pages that are all zeros and stored once; nil if that was not counted.
  public var bytesZero: UInt64?
  /// Bytes that were lost when the dump was written.
  public var bytesLost: UInt64 = 0
  /// The codecs in the file; nil if the format has none.
  public var compression: String?
  /// makedumpfile's dump level: which pages were left out.
  public var dumpLevel: Int?
  /// Whether makedumpfile left out pages of vmemmap, too (DUMP_DH_EXCLUDED_VMEMMAP).
  package var excludesVmemmap = false
  /// The unit of the file in bytes; nil if the format has none.
  package var blockSize: UInt64?
}

extension Diagnostic {
  /// makedumpfile ran out of space, by the flag in its header.
  static var incomplete: Diagnostic {
    Diagnostic(.dumpIncomplete, "makedumpfile marked this dump incomplete: it ran out of space")
  }
}
