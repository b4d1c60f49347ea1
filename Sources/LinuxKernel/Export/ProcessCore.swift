import Bytes
import CrashDump
import VMSA

/// Writes a process's user memory as the ELF core that the kernel would have written. (fs/binfmt_elf.c,
/// `elf_core_dump`)
///
/// Untouched anonymous memory gets p_memsz without p_filesz, which debuggers read as zeros. Untouched parts of mapped
/// files they read from those files, if they have them. Memory that the process had but the dump lacks is left out.
struct ProcessCore {
  let context: KernelContext
  let tables: TranslationRegime
  let mappings: [UserMapping]
  let process: ProcessNotes

  /// A PT_LOAD.
  private struct Segment {
    var virtual: UInt64
    var fileSize: UInt64 = 0
    var memorySize: UInt64 = 0
    var flags: UInt32
    var parts: [(physical: UInt64, size: UInt64)] = []
  }

  /// Writes the core.
  ///
  /// - Parameter progress: called with the number of bytes of memory just written.
  /// - Throws: `LocatedError` if the file cannot be written.
  func write(to path: String, progress: (UInt64) -> Void) throws(LocatedError) -> CoreSummary {
    let range = (mappings.first?.start ?? 0)..<(mappings.last?.end ?? 0)
    let copier = MemoryCopier(context.dump)
    var damaged: Set<UInt64> = []
    while true {
      let pages = ProcessPages(context, tables, range, without: damaged)
      var summary = CoreSummary()
      let segments = mappings.flatMap { loadSegments(of: $0, pages, &summary) }
      if pages.isIncomplete {
        summary.notes.append(
          Diagnostic(.tableUnreadable, "a table of the process cannot be read: what it maps is left out"))
      }
      let (header, start) = headers(segments, process.bytes(pages))
      var file = try OutputFile(path)
      try file.write(header.rawSpan, at: 0)
      var offset = start
      var found: [UInt64] = []
      for part in segments.lazy.flatMap(\.parts) {
        found += try copier.copy(part.physical, part.size, to: file, at: offset, progress)
        offset += part.size
      }
      guard found.isEmpty else {
        // Such a page must have no segment either.
        damaged.formUnion(found)
        continue
      }
      summary.segments = segments.count
      summary.bytes = offset - start
      try file.finish(size: offset)
      return summary
    }
  }

  /// The segments of `mapping`: present memory, each followed by what was untouched.
  private func loadSegments(of mapping: UserMapping, _ pages: ProcessPages, _ summary: inout CoreSummary) -> [Segment] {
    // PF_R, PF_W and PF_X
    let flags: UInt32 =
      (mapping.flags & VMAFlags.read == 0 ? 0 : 4) | (mapping.flags & VMAFlags.write == 0 ? 0 : 2)
      | (mapping.flags & VMAFlags.execute == 0 ? 0 : 1)
    var result: [Segment] = []
    var isOpen = false
    for run in pages.runs(in: mapping.start..<mapping.end) {
      let size = run.end - run.start
      if !isOpen || result[result.count - 1].memorySize > result[result.count - 1].fileSize {
        if case .memory = run.content { isOpen = false }
      }
      switch run.content {
      case .unavailable:
        summary.unavailable += size
        isOpen = false
        continue
      case .memory(let physical):
        if !isOpen { result.append(Segment(virtual: run.start, flags: flags)) }
        result[result.count - 1].fileSize += size
        result[result.count - 1].parts.append((physical, size))
      case .untouched:
        guard mapping.isZeroFilled else {
          isOpen = false
          continue
        }
        if !isOpen { result.append(Segment(virtual: run.start, flags: flags)) }
      }
      result[result.count - 1].memorySize += size
      isOpen = true
    }
    return result
  }

  /// Everything that precedes the memory, and the offset of the memory.
  private func headers(_ segments: [Segment], _ notes: [UInt8]) -> (bytes: [UInt8], memory: UInt64) {
    let count = segments.count + 1
    let sections = count >= ELFWriter.manyHeaders ? 1 : 0
    let page = context.regime.granule.size
    let sectionHeaders = ELFWriter.headerSize + UInt64(count) * ELFWriter.programHeaderSize
    let noteStart = sectionHeaders + UInt64(sections) * ELFWriter.sectionHeaderSize
    let memory = (noteStart + UInt64(notes.count) + page - 1) & ~(page - 1)
    var writer = ELFWriter()
    // ET_CORE
    writer.header(
      type: 4, programHeaders: (ELFWriter.headerSize, count),
      sectionHeaders: (sections == 0 ? 0 : sectionHeaders, sections), names: 0)
    writer.programHeader(
      type: 4, flags: 0, offset: noteStart, virtual: 0, physical: 0, size: UInt64(notes.count), alignment: 4)
    var offset = memory
    for segment in segments {
      writer.programHeader(
        type: 1, flags: segment.flags, offset: offset, virtual: segment.virtual, physical: 0, size: segment.fileSize,
        memorySize: segment.memorySize, alignment: page)
      offset += segment.fileSize
    }
    if sections > 0 { writer.sectionHeader(info: UInt32(count)) }
    let head = writer.bytes + notes
    return (head + [UInt8](repeating: 0, count: Int(memory) - head.count), memory)
  }
}
