import Bytes
import VMSA

/// An open dump of any format: physical memory and notes.
///
///     let dump = try DumpFile(path: "vmcore")
///     print(dump.summary.format, dump.memory.ranges)
public final class DumpFile: Sendable {
  /// The path as given.
  public let path: String
  /// The memory. Pass it to a generic function before a loop, so that no call in the loop is dynamic.
  public var memory: any PhysicalMemory { container }
  /// The notes.
  public var notes: DumpNotes { container.notes }
  /// What the reader should know before trusting the answers.
  public var warnings: [Diagnostic] { container.warnings }
  /// What the file records about itself; counting its pages may take a pass over the file's index.
  public var summary: DumpSummary { container.summary }

  /// Bytes of memory whose contents the file should hold, missing ones included; cheap to compute.
  package var storedBytes: UInt64 { container.storedBytes }

  /// Memory that reads as zeros because the file has a hole there; cheap to compute.
  package var holes: [Range<UInt64>] { container.holes }

  /// The end of the machine's memory (exclusive), as the dump describes it; cheap to compute.
  package var endOfMemory: UInt64 { container.endOfMemory }

  private let container: any DumpContainer

  /// Bytes of decompressed pages kept by default.
  public static let defaultCacheSize = 64 << 20

  /// Opens a dump, recognising the format by content. Files are only read, never written.
  ///
  /// - Parameters:
  ///   - path: a file; a directory that holds the parts of a split dump; or, if no such file exists, `PART,PART...`, or
  ///     `FILE@ADDRESS[,FILE@ADDRESS...]` for raw memory.
  ///   - cacheSize: bytes of decompressed pages to keep.
  ///   - isMapped: whether files are mapped; otherwise they are read through a cache, so that a failing disk or network
  ///     gives an error instead of killing the process.
  /// - Throws: `LocatedError` if it is not a dump of arm64 memory; the message says what it looks like.
  public convenience init(
    path: String, cacheSize: Int = defaultCacheSize, isMapped: Bool = true
  ) throws(LocatedError) {
    self.init(path: path, try DumpOpener(cacheSize: cacheSize, isMapped: isMapped).open(path))
  }

  private init(path: String, _ container: any DumpContainer) {
    self.path = path
    self.container = container
  }

  /// Whether this is raw memory, whose addresses the user gives.
  package var isRaw: Bool { container is RawImage }

  /// Where the user placed the parts of raw memory, in the order given; empty for any other dump, and if no address was
  /// given.
  package var placedParts: [Range<UInt64>] { (container as? RawImage)?.placedParts ?? [] }

  /// Whether this is raw memory without a load address: it is taken to begin at 0.
  package var isAddressUnknown: Bool { (container as? RawImage)?.isAddressUnknown ?? false }

  /// Whether this is the memory of a running kernel (`/proc/kcore`), which changes between two reads.
  package var isLive: Bool { (container as? ELFDump)?.isLive ?? false }

  /// The same raw memory, beginning at `address`, which is a guess.
  ///
  /// - Throws: `LocatedError` if this is not raw memory from a single file, or it does not fit there.
  package func placed(at address: PhysicalAddress) throws(LocatedError) -> DumpFile {
    guard let raw = container as? RawImage else {
      throw LocatedError(file: path, kind: .unsupported, "is no raw memory: it says itself where it lies")
    }
    return DumpFile(path: path, try raw.placed(at: address.rawValue))
  }

  /// The same dump without the frames of `size` bytes, a power of two, whose address `isLeftOut` holds for: they read
  /// as filtered out.
  package func leavingOut(
    framesOf size: UInt64, _ isLeftOut: @escaping @Sendable (PhysicalAddress) -> Bool
  ) -> DumpFile {
    DumpFile(path: path, RestrictedDump(whole: container, frameSize: size, isLeftOut: isLeftOut))
  }

  /// Why a page cannot be read, in one line: which kind of absence it is, and what to do.
  public func describe(_ fault: MemoryFault) -> String { diagnostic(fault).text }

  /// The same as a diagnostic with a code.
  package func diagnostic(_ fault: MemoryFault) -> Diagnostic {
    Diagnostic(fault.absence.code, hex(fault.address.rawValue), words(fault))
  }

  private func words(_ fault: MemoryFault) -> String {
    let address = hex(fault.address.rawValue)
    switch fault.absence {
    case .notInDump: return "physical address \(address) is not in this dump: no memory was dumped there"
    case .filtered:
      let level = container.dumpLevel.map { " (dump level \($0))" } ?? ""
      return "page \(address) was filtered out of this dump\(level)"
    case .cutOff: return "page \(address) is beyond the end of the file, which is cut short; copy it again"
    case .lost: return "page \(address) was lost when the dump was written: the dump is incomplete"
    case .unreadable: return "page \(address) cannot be read: the disk or the network that the dump is on failed"
    case .damaged: return "page \(address) is damaged in this dump: its contents cannot be decoded"
    case .inMissingPart:
      let part = container.missingPart(at: fault.address) ?? "other pages"
      return "page \(address) is in the part of this split dump that holds \(part), which was not given"
    }
  }
}

extension Absence {
  /// The code of a page that is absent for this reason.
  fileprivate var code: Diagnostic.Code {
    switch self {
    case .notInDump: .pageNotInDump
    case .filtered: .pageFiltered
    case .cutOff: .pageCutOff
    case .lost: .pageLost
    case .unreadable: .pageUnreadable
    case .damaged: .pageDamaged
    case .inMissingPart: .pageInMissingPart
    }
  }
}
