import Bytes
import VMSA

/// A guest's memory as `xl dump-core` writes it: an ELF core of sections, without program headers.
///
///     .xen_pages   the pages, one after another
///     .xen_pfn     for each page its frame number, 64 bits; ~0 where there is none (guests whose frames Xen translates,
///                  which those of Arm are)
///     .xen_p2m     instead, for each page its frame number and that of the machine
///     .note.Xen    a note 0x2000001: magic, virtual CPUs, pages, bytes of a page, 64 bits each
///
/// (xen, docs/misc/dump-core-format.txt)
final class XenDump: SegmentedContainer {
  let notes = DumpNotes()
  let memory: SegmentedMemory

  /// A section as its header describes it.
  private struct Section {
    var name: String
    var offset: UInt64
    var size: UInt64
  }

  /// nil if `file`, which is an ELF file, has no section `.xen_pages`.
  ///
  /// - Throws: `LocatedError` if it is not an arm64 core, or its sections do not match.
  init?(_ file: DumpBytes) throws(LocatedError) {
    let sections = Self.sections(file)
    guard let pages = sections.first(where: { $0.name == ".xen_pages" }) else { return nil }
    guard file.integer(UInt16.self, at: 18) == 183 else {
      throw LocatedError(file: file.path, offset: 18, kind: .unsupported, "is a Xen dump of a machine other than arm64")
    }
    let plain = sections.first { $0.name == ".xen_pfn" }
    let machine = sections.first { $0.name == ".xen_p2m" }
    guard let frames = plain ?? machine else {
      throw LocatedError(
        file: file.path, offset: pages.offset, kind: .malformed,
        "is a Xen dump without frame numbers (.xen_pfn): nothing says where its pages lie")
    }
    let stride: UInt64 = plain == nil ? 16 : 8
    let pageSize = sections.first { $0.name == ".note.Xen" }.flatMap { Self.pageSize(file, $0.offset) } ?? 4096
    // The frame numbers are in the file, so the count is bounded by its size.
    let count = min(frames.size / stride, pages.size / pageSize)
    guard file.range(at: frames.offset, count: count * stride) != nil, count > 0 else {
      throw LocatedError(
        file: file.path, offset: frames.offset, kind: .truncated, "its frame numbers are not all there; copy it again")
    }
    var segments: [MemoryMap.Segment] = []
    for number in 0..<count {
      guard let frame = file.word(at: frames.offset + number * stride), frame != .max else { continue }
      let (physical, overflow) = frame.multipliedReportingOverflow(by: pageSize)
      guard !overflow, physical < 1 << 52, segments.count < Limits.memoryRanges else {
        throw LocatedError(
          file: file.path, offset: frames.offset + number * stride, kind: .malformed,
          "has a page at frame \(hex(frame)), which cannot be, or too many pieces of memory")
      }
      let offset = pages.offset &+ number * pageSize
      if let last = segments.last, last.physical + last.fileSize == physical, last.offset + last.fileSize == offset {
        segments[segments.count - 1].fileSize += pageSize
        segments[segments.count - 1].memorySize += pageSize
      } else {
        segments.append(
          MemoryMap.Segment(physical: physical, offset: offset, fileSize: pageSize, memorySize: pageSize))
      }
    }
    memory = SegmentedMemory(source: file, map: MemoryMap(segments: segments, fileCount: file.byteCount))
  }

  /// The readable sections of `file`.
  private static func sections(_ file: DumpBytes) -> [Section] {
    guard file.integer(UInt8.self, at: 4) == 2, let start = file.word(at: 40),
      let count = file.integer(UInt16.self, at: 60), let names = file.integer(UInt16.self, at: 62), names < count,
      file.range(at: start, count: UInt64(count) * 64) != nil,
      let table = file.word(at: start + UInt64(names) * 64 + 24)
    else { return [] }
    return (0..<UInt64(count)).compactMap { number in
      let header = start + number * 64
      guard let name = file.integer(UInt32.self, at: header), let offset = file.word(at: header + 24),
        let size = file.word(at: header + 32), offset <= file.byteCount,
        let place = file.range(at: table &+ UInt64(name), count: 1)
      else { return nil }
      let end = min(place.lowerBound + 16, file.byteCount)
      let text = file.withBytes(place.lowerBound..<end) { $0.cString() } ?? ""
      return Section(name: text, offset: offset, size: size)
    }
  }

  /// The page size from the first of the notes at `offset`.
  private static func pageSize(_ file: DumpBytes, _ offset: UInt64) -> UInt64? {
    // "Xen\0", or empty notes before it.
    for place in stride(from: offset, to: offset &+ 256, by: 4)
    where file.integer(UInt32.self, at: place) == 0x200_0001 {
      guard let size = file.word(at: place + 4 + 4 + 24), size.nonzeroBitCount == 1, (4096...65536).contains(size)
      else { continue }
      return size
    }
    return nil
  }

  var warnings: [Diagnostic] { memory.warnings }
  var summary: DumpSummary { memory.summary(format: "ELF, of Xen") }
}
