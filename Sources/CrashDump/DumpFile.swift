import Bytes
import VMSA

/// A dump file, opened: physical memory and notes, whatever the format.
///
///     let dump = try DumpFile(path: "vmcore")
///     print(dump.summary.format, dump.memory.ranges)
public final class DumpFile: Sendable {
  /// The path as given.
  public let path: String
  /// The memory. A loop enters a generic function with it once, so that no call in the loop is dynamic.
  public var memory: any PhysicalMemory { container }
  /// The notes.
  public var notes: DumpNotes { container.notes }
  /// What the file says of itself.
  public var summary: DumpSummary { container.summary }

  private let container: any DumpContainer

  /// Opens `path`, recognising the format by content. The file is only read, never written.
  ///
  /// - Throws: `LocatedError` when it is no dump of arm64 memory, and says what it looks like.
  public init(path: String) throws(LocatedError) {
    self.path = path
    let file = try MappedFile(path: path)
    if ELFDump.recognises(file.bytes) {
      container = try ELFDump(file)
    } else {
      throw LocatedError(file: path, offset: 0, kind: .unsupported, ForeignFile.describe(file.bytes))
    }
  }
}

extension DumpFile {
  /// One line that says why a page cannot be read, and of which kind its absence is.
  public func describe(_ fault: MemoryFault) -> String {
    let address = "0x" + String(fault.address.rawValue, radix: 16)
    switch fault.absence {
    case .notInDump: return "physical address \(address) is not in this dump: no memory was dumped there"
    case .filtered: return "page \(address) was filtered out of this dump"
    case .cutOff: return "page \(address) is beyond the end of the file, which is cut short; copy it again"
    case .lost: return "page \(address) was lost when the dump was written: the dump is incomplete"
    case .damaged: return "page \(address) is damaged in this dump: its contents cannot be decoded"
    case .inMissingPart: return "page \(address) is in a part of the dump that was not given"
    }
  }
}
