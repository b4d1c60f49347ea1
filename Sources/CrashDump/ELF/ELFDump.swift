import Bytes
import CElf
import VMSA

/// An ELF vmcore: `/proc/vmcore`, QEMU's `dump-guest-memory`, makedumpfile's `-E`, `/proc/kcore`.
///
/// Only p_paddr is trusted: p_vaddr may be wrong, equal to p_paddr, or zero.
final class ELFDump: SegmentedContainer {
  let notes: DumpNotes
  let memory: SegmentedMemory
  private let isIncomplete: Bool
  private let format: String
  /// Whether parts of the file overlap that should not.
  private let overlaps: Bool
  /// Warnings from the container of the bytes.
  private let outerWarnings: [Diagnostic]

  /// Reads the notes of `file`, whose headers are `headers`; nothing else is read.
  ///
  /// - Parameter format: what `info` calls it.
  init(_ file: DumpBytes, _ headers: ELFHeaders, format: String, warnings: [Diagnostic] = []) throws(LocatedError) {
    let count = file.byteCount
    var segments: [MemoryMap.Segment] = []
    var notes = DumpNotes()
    var noteBytesLeft = Limits.noteBytes
    var noteRanges: [Range<UInt64>] = []
    for header in headers.programHeaders {
      switch header.p_type {
      case UInt32(PT_LOAD):
        // /proc/kcore gives -1 to what is not RAM at a constant offset: vmalloc, modules, the image (464920104bf7
        // "/proc/kcore: update physical address for kcore ram and text").
        guard header.p_paddr != .max else { continue }
        segments.append(
          MemoryMap.Segment(
            physical: header.p_paddr, offset: header.p_offset,
            // No segment has more in the file than in memory; one that claims so would hide others.
            fileSize: header.p_memsz > 0 ? min(header.p_filesz, header.p_memsz) : header.p_filesz,
            memorySize: header.p_memsz))
      case UInt32(PT_NOTE):
        guard header.p_offset < count else { continue }
        let range = header.p_offset..<(header.p_offset + min(header.p_filesz, count - header.p_offset))
        noteRanges.append(range)
        noteBytesLeft = try notes.add(range, of: file, limit: noteBytesLeft)
      default: break
      }
    }
    guard !notes.isUserCore || notes.vmcoreinfo != nil else {
      throw LocatedError(
        file: file.path, kind: .unsupported,
        "is the core of a user program, not of a kernel; open it with gdb")
    }
    guard !segments.isEmpty else {
      throw LocatedError(
        file: file.path, kind: .malformed, "has no PT_LOAD segment: no memory was dumped; dump it again")
    }
    self.notes = notes
    self.format = format
    outerWarnings = warnings
    overlaps = Self.overlap(segments, noteRanges + [0..<64])
    memory = SegmentedMemory(source: file, map: MemoryMap(segments: segments, fileCount: count))
    // makedumpfile sets DUMP_ELF_INCOMPLETE when it ran out of space (makedumpfile, elf_info.h).
    isIncomplete = headers.flags & 1 != 0
  }

  /// Whether memory overlaps, in the file, other memory (unless it is the same memory described twice), the notes or
  /// the file header.
  private static func overlap(_ segments: [MemoryMap.Segment], _ others: [Range<UInt64>]) -> Bool {
    func end(_ segment: MemoryMap.Segment) -> UInt64 {
      let (sum, overflow) = segment.offset.addingReportingOverflow(segment.fileSize)
      return overflow ? .max : sum
    }
    let stored = segments.filter { $0.fileSize > 0 }.sorted { $0.offset < $1.offset }
    for (segment, next) in zip(stored, stored.dropFirst())
    where next.offset < end(segment) && next.offset &- next.physical != segment.offset &- segment.physical {
      return true
    }
    return others.contains { range in
      !range.isEmpty && stored.contains { $0.offset < range.upperBound && end($0) > range.lowerBound }
    }
  }

  /// Whether the file is generated on reading, as /proc/kcore is.
  var isLive: Bool { if case .unmapped = memory.source { true } else { false } }

  var warnings: [Diagnostic] {
    outerWarnings + memory.warnings + memory.conflicts(limit: Limits.comparedCoreBytes) { "the segment \($0.name)" }
      + (overlaps
        ? [
          Diagnostic(
            .segmentsOverlap,
            "its program headers have one place in the file for two things: one is damaged, and answers may be wrong")
        ] : [])
      + (isIncomplete ? [.incomplete] : [])
  }

  var summary: DumpSummary { memory.summary(format: format) }
}
