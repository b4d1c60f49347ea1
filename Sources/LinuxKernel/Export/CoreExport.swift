import Bytes
import CrashDump
import KernelLayout
import VMSA

/// The addresses by which an ELF core presents memory.
package enum CoreView: Sendable {
  /// Memory by physical address, each part with its address in the linear map.
  case physical
  /// Memory by virtual address: the linear map, the image, modules and vmalloc, and optionally vmemmap.
  case virtual(vmemmap: Bool)
}

/// What an exported core contains.
package struct CoreSummary: Sendable {
  /// Segments of memory.
  package var segments = 0
  /// Bytes of memory, including holes in the file.
  package var bytes: UInt64 = 0
  /// Pages that the dump should have but that could not be read: they are left out.
  package var unreadable = 0
  /// Bytes that a process had but the dump does not: they are left out.
  package var unavailable: UInt64 = 0
  /// Threads whose registers are in the core of a process.
  package var threads = 0
  /// What the user should know about the file, one sentence each.
  package var notes: [Diagnostic] = []
}

/// Writes an ELF core of a dump's memory. Missing memory has no segment, so that no reader takes it for zeros; zero
/// pages are holes in the file.
struct CoreExport {
  let context: KernelContext
  let regions: RegionMap
  let notes: CoreNotes
  let view: CoreView
  /// Page frames that are left out.
  let left: FrameSet

  /// A PT_LOAD.
  private struct Segment {
    var virtual: UInt64
    var physical: UInt64
    var size: UInt64
    var offset: UInt64
    var flags: UInt32
  }

  /// Writes the core.
  ///
  /// - Parameter progress: called with the number of bytes of memory just written.
  /// - Throws: `LocatedError` if the file cannot be written.
  func write(to path: String, progress: @Sendable (UInt64) -> Void) throws(LocatedError) -> CoreSummary {
    var damaged: Set<UInt64> = []
    while true {
      var file = try OutputFile(path)
      var summary = CoreSummary()
      let (runs, header) = try layOut(without: damaged, &summary)
      try file.write(header.rawSpan, at: 0)
      let found = try MemoryCopier(context.dump).copy(runs, to: file, progress)
      guard found.isEmpty else {
        // Such a page must have no segment either.
        damaged.formUnion(found)
        continue
      }
      summary.unreadable = damaged.count
      try file.finish(size: runs.end)
      return summary
    }
  }

  /// The layout of the file, and everything that precedes the memory.
  private func layOut(
    without damaged: Set<UInt64>, _ summary: inout CoreSummary
  ) throws(LocatedError) -> (PhysicalRuns, [UInt8]) {
    let runs = PhysicalRuns(
      context.dump.memory, without: damaged, left, frameSize: context.regime.granule.size)
    var segments: [Segment]
    switch view {
    case .physical: segments = physicalSegments(runs, &summary)
    case .virtual(let vmemmap): segments = virtualSegments(runs, vmemmap: vmemmap, &summary)
    }
    guard segments.count < UInt32.max else {
      throw LocatedError(file: context.dump.path, kind: .unsupported, "has too many pieces of memory for an ELF file")
    }
    summary.segments = segments.count
    summary.bytes = segments.reduce(0) { $0 &+ $1.size }
    let note = notes.bytes
    let count = segments.count + 1
    let sections = count >= ELFWriter.manyHeaders ? 1 : 0
    let programHeaders = ELFWriter.headerSize
    let sectionHeaders = programHeaders + UInt64(count) * ELFWriter.programHeaderSize
    let noteStart = sectionHeaders + UInt64(sections) * ELFWriter.sectionHeaderSize
    let memory = (noteStart + UInt64(note.count) + PhysicalRuns.pageSize - 1) & ~(PhysicalRuns.pageSize - 1)
    var writer = ELFWriter()
    // ET_CORE. lldb opens only Linux cores; other tools do not check EI_OSABI.
    var system: UInt8 = 0
    if case .virtual = view { system = 3 }
    writer.header(
      type: 4, system: system, programHeaders: (programHeaders, count),
      sectionHeaders: (sections == 0 ? 0 : sectionHeaders, sections),
      names: 0)
    writer.programHeader(
      type: 4, flags: 0, offset: noteStart, virtual: 0, physical: 0, size: UInt64(note.count), alignment: 4)
    for segment in segments {
      writer.programHeader(
        type: 1, flags: segment.flags, offset: segment.offset + memory, virtual: segment.virtual,
        physical: segment.physical, size: segment.size, alignment: 0)
    }
    if sections > 0 { writer.sectionHeader(info: UInt32(count)) }
    return (runs.moved(by: memory), writer.bytes + note)
  }

  /// The runs, split at the bounds of the linear map.
  private func physicalSegments(_ runs: PhysicalRuns, _ summary: inout CoreSummary) -> [Segment] {
    // PF_R, PF_W and PF_X, as the kernel gives them.
    let flags: UInt32 = 7
    let linear = extents([.linearMap], &summary).sorted { $0.physical < $1.physical }
    var result: [Segment] = []
    func add(_ range: Range<UInt64>, _ run: PhysicalRuns.Run, virtual: UInt64) {
      guard !range.isEmpty else { return }
      let offset = run.offset + (range.lowerBound - run.start)
      let size = range.upperBound - range.lowerBound
      if let last = result.last, last.physical + last.size == range.lowerBound, last.offset + last.size == offset,
        virtual == 0 ? last.virtual == 0 : last.virtual != 0 && last.virtual &+ last.size == virtual
      {
        result[result.count - 1].size += size
      } else {
        result.append(
          Segment(virtual: virtual, physical: range.lowerBound, size: size, offset: offset, flags: flags))
      }
    }
    var next = 0
    for run in runs.all {
      var here = run.start
      while next < linear.count, linear[next].physical &+ linear[next].size <= here { next += 1 }
      var index = next
      while here < run.end {
        guard index < linear.count, linear[index].physical < run.end else {
          add(here..<run.end, run, virtual: 0)
          break
        }
        let extent = linear[index]
        let start = max(here, extent.physical)
        let end = max(start, min(run.end, extent.physical &+ extent.size))
        add(here..<start, run, virtual: 0)
        add(start..<end, run, virtual: extent.virtual &+ (start &- extent.physical))
        here = end
        index += 1
      }
    }
    return result
  }

  /// The parts of the kernel's half that map memory in the dump. Memory mapped twice is stored once.
  private func virtualSegments(_ runs: PhysicalRuns, vmemmap: Bool, _ summary: inout CoreSummary) -> [Segment] {
    let wanted: Set<Region> = [.linearMap, .kernelImage, .modules, .vmalloc, .bpfJIT]
    var result: [Segment] = []
    for extent in extents(vmemmap ? wanted.union([.vmemmap]) : wanted, &summary) {
      let flags: UInt32 = 4 | (extent.isWritable ? 2 : 0) | (extent.isExecutable ? 1 : 0)
      for (physical, offset) in runs.parts(in: extent.physical..<(extent.physical &+ extent.size)) {
        result.append(
          Segment(
            virtual: extent.virtual &+ (physical.lowerBound - extent.physical), physical: physical.lowerBound,
            size: physical.upperBound - physical.lowerBound, offset: offset, flags: flags))
      }
    }
    return result
  }

  /// The mappings of the `wanted` regions, by virtual address.
  private func extents(_ wanted: Set<Region>, _ summary: inout CoreSummary) -> [MappedExtents.Extent] {
    var found = MappedExtents()
    for piece in regions.pieces {
      guard let region = piece.region, wanted.contains(region) else { continue }
      context.sweep(piece.first...piece.last, &found)
    }
    if found.isCutShort {
      summary.notes.append(
        Diagnostic(.passCutShort, "the tables map more pieces than are kept; the rest is left out"))
    }
    return found.all
  }
}
