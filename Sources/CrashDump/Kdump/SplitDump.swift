import Bytes
import VMSA

/// A dump that makedumpfile wrote in several files (`--split`), each with the pages of a range of frames.
final class SplitDump: DumpContainer {
  private let parts: [KdumpFile]
  /// The frames of each part, in order and apart.
  private let frames: [Range<UInt64>]
  private let blockSize: UInt64

  /// Joins `parts`.
  ///
  /// - Throws: `LocatedError` if one is not a part, belongs to another dump, or is given twice.
  init(_ parts: [KdumpFile]) throws(LocatedError) {
    // An empty part goes before one that begins where it does.
    func bounds(_ part: KdumpFile) -> (UInt64, UInt64) {
      (part.header.part?.lowerBound ?? 0, part.header.part?.upperBound ?? 0)
    }
    let ordered = parts.sorted { bounds($0) < bounds($1) }
    guard let first = ordered.first, ordered.count <= Limits.splitParts else {
      throw LocatedError(file: parts.first?.path ?? "", kind: .malformed, "is of a dump in too many parts")
    }
    var frames: [Range<UInt64>] = []
    for (number, part) in ordered.enumerated() {
      guard let here = part.header.part else {
        throw LocatedError(file: part.path, kind: .mismatch, "is no part of a split dump; open it by itself")
      }
      guard part.header.identity == first.header.identity, part.header.blockSize == first.header.blockSize,
        part.header.frameCount == first.header.frameCount
      else {
        throw LocatedError(
          file: part.path, kind: .mismatch, "is a part of another dump than \(first.path); give parts of one")
      }
      if let before = frames.last, before.upperBound > here.lowerBound {
        throw LocatedError(
          file: part.path, kind: .mismatch, "holds the same pages as \(ordered[number - 1].path); give each part once")
      }
      frames.append(here)
    }
    self.parts = ordered
    self.frames = frames
    blockSize = first.header.blockSize
  }

  /// The number of the part that holds the page of `address`.
  private func index(of address: PhysicalAddress) -> Int? {
    let frame = address.rawValue / blockSize
    let index = frames.partitioningIndex { $0.upperBound > frame }
    return index < frames.count && frames[index].lowerBound <= frame ? index : nil
  }

  /// Every part has the bitmap of all pages.
  private func fault(_ address: PhysicalAddress) -> MemoryFault {
    MemoryFault(parts[0].absence(at: address) ?? .inMissingPart, at: address)
  }

  var notes: DumpNotes { parts.lazy.map(\.notes).first { $0.vmcoreinfo != nil } ?? parts[0].notes }

  func word(at address: PhysicalAddress) throws(MemoryFault) -> UInt64 {
    guard let index = index(of: address) else { throw fault(address) }
    return try parts[index].word(at: address)
  }

  func read(_ address: PhysicalAddress, into buffer: inout MutableRawSpan) throws(MemoryFault) {
    var done = 0
    while done < buffer.byteCount {
      let here = address &+ UInt64(done)
      guard let index = index(of: here) else { throw fault(here) }
      let end = frames[index].upperBound * blockSize
      let count = Int(min(UInt64(buffer.byteCount - done), end - here.rawValue))
      var piece = buffer._mutatingExtracting(done..<(done + count))
      try parts[index].read(here, into: &piece)
      done += count
    }
  }

  func absence(at address: PhysicalAddress) -> Absence? {
    guard let index = index(of: address) else { return fault(address).absence }
    return parts[index].absence(at: address)
  }

  func scan(_ body: @Sendable (PhysicalAddress, RawSpan) -> Bool) {
    for part in parts { part.scan(body) }
  }

  var ranges: [Range<PhysicalAddress>] { parts[0].ranges }
  var endOfMemory: UInt64 { parts[0].endOfMemory }
  var storedBytes: UInt64 { parts.reduce(0) { $0 &+ $1.storedBytes } }

  var dumpLevel: Int? { parts[0].dumpLevel }

  func missingPart(at address: PhysicalAddress) -> String? {
    let frame = address.rawValue / blockSize
    let start = frames.last { $0.upperBound <= frame }?.upperBound ?? 0
    let end = frames.first { $0.lowerBound > frame }?.lowerBound ?? parts[0].header.frameCount
    return "\(hex(start * blockSize))-\(hex(end * blockSize))"
  }

  var warnings: [Diagnostic] {
    var covered: UInt64 = 0
    var missing: [String] = []
    for here in frames {
      if here.lowerBound > covered, let range = missingPart(at: PhysicalAddress(covered * blockSize)) {
        missing.append(range)
      }
      covered = here.upperBound
    }
    if covered < parts[0].header.frameCount, let range = missingPart(at: PhysicalAddress(covered * blockSize)) {
      missing.append(range)
    }
    let advice = missing.map {
      Diagnostic(.partMissing, $0, "the part of this split dump that holds \($0) was not given")
    }
    return advice + parts.flatMap { part in part.warnings.map { $0.explaining(part.path) } }
  }

  var summary: DumpSummary {
    var summary = parts[0].summary
    summary.format += ", \(parts.count) part\(parts.count == 1 ? "" : "s") of a split dump"
    for part in parts.dropFirst() {
      let other = part.summary
      summary.bytesPresent += other.bytesPresent
      summary.bytesLost += other.bytesLost
      summary.bytesCutOff += other.bytesCutOff
      if let zero = summary.bytesZero { summary.bytesZero = other.bytesZero.map { $0 + zero } }
    }
    return summary
  }
}
