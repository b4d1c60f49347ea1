import Bytes
import Synchronization
import VMSA

/// What goes into the headers of a kdump-compressed file.
package struct KdumpDescription: Sendable {
  /// Bytes of a page, and of a block of the file.
  package var pageSize: UInt64
  package var compression: PageCompression
  /// `struct new_utsname`: system, node, release, version, machine and domain.
  package var systemNames: [String]
  /// Seconds since 1970 when the machine died, or 0.
  package var time: UInt64
  /// `phys_base`: PHYS_OFFSET.
  package var physicalBase: UInt64
  package var cpuCount: Int
  /// The ELF notes.
  package var notes: [UInt8]
  /// Where in `notes` the text of VMCOREINFO is.
  package var vmcoreinfo: Range<Int>
  /// makedumpfile's dump level: which pages the source had left out.
  package var dumpLevel: Int

  package init(
    pageSize: UInt64, compression: PageCompression, systemNames: [String], time: UInt64, physicalBase: UInt64,
    cpuCount: Int, notes: [UInt8], vmcoreinfo: Range<Int>, dumpLevel: Int
  ) {
    self.pageSize = pageSize
    self.compression = compression
    self.systemNames = systemNames
    self.time = time
    self.physicalBase = physicalBase
    self.cpuCount = cpuCount
    self.notes = notes
    self.vmcoreinfo = vmcoreinfo
    self.dumpLevel = dumpLevel
  }
}

/// What was written.
package struct KdumpSummary: Sendable {
  /// Pages that are in the file.
  package var pages: UInt64 = 0
  /// Those of them that are all zeros.
  package var zeroPages: UInt64 = 0
  /// Pages that the dump should have but that could not be read: they are left out.
  package var unreadable: UInt64 = 0
  /// Bytes of the file.
  package var fileSize: UInt64 = 0
}

/// Writes a kdump-compressed file as makedumpfile does: headers of version 6, both bitmaps, descriptors, the shared
/// zero page, then the pages in order, compressed if that makes them smaller.
package struct KdumpOutput {
  private let memory: any PhysicalMemory
  private let description: KdumpDescription
  private let pieces: FramePieces
  /// Whether a page at an address is left out.
  private let excludes: @Sendable (PhysicalAddress) -> Bool

  /// - Parameter excludes: whether the page at an address is left out.
  package init(
    _ memory: any PhysicalMemory, _ description: KdumpDescription,
    excludes: @escaping @Sendable (PhysicalAddress) -> Bool = { _ in false }
  ) {
    self.memory = memory
    self.description = description
    self.excludes = excludes
    pieces = FramePieces(memory.ranges, frame: description.pageSize)
  }

  /// Writes the file.
  ///
  /// - Parameter progress: called with the number of bytes of memory just written.
  /// - Throws: `LocatedError` if it cannot be written.
  package func write(
    to path: String, progress: @escaping @Sendable (UInt64) -> Void
  ) throws(LocatedError) -> KdumpSummary {
    guard pieces.end > 0, pieces.end <= Limits.pageFrames else {
      throw LocatedError(file: path, kind: .unsupported, "there is no memory to write, or it has too many page frames")
    }
    let layout = KdumpOutputLayout(description, frames: pieces.end, pages: presentPages())
    let file = try OutputFile(path)
    try file.write(layout.headers(description, pieces).rawSpan, at: 0)
    let writing = Mutex(Writing(file: file, layout: layout))
    let segments = (memory as? any SegmentedContainer)?.memory
    let packers = ContextPool { PagePacker(description, pieces, segments) }
    OrderedWork.run(pieces.count) { number in
      packers.withContext { $0.pack(pieces[number], of: memory, excludes: excludes) }
    } take: { piece in
      progress(piece.bytesSeen)
      return writing.withLock { $0.take(piece) }
    }
    return try writing.withLock { writing throws(LocatedError) in try writing.finish() }
  }

  /// How many pages get a descriptor if all can be read.
  private func presentPages() -> UInt64 {
    var count: UInt64 = 0
    for number in 0..<pieces.count {
      for frame in pieces[number].frames.joined() {
        let address = PhysicalAddress(frame * description.pageSize)
        if memory.absence(at: address) == nil, !excludes(address) { count += 1 }
      }
    }
    return count
  }

  /// The state of a file being written.
  private struct Writing: ~Copyable {
    var file: OutputFile
    let layout: KdumpOutputLayout
    var summary = KdumpSummary()
    var failure: LocatedError?
    /// Where the next page goes.
    var end: UInt64

    init(file: consuming OutputFile, layout: KdumpOutputLayout) {
      self.file = file
      self.layout = layout
      end = layout.zeroPage + layout.blockSize
    }

    mutating func take(_ piece: PackedPages) -> Bool {
      do throws(LocatedError) {
        try file.write(piece.exists.rawSpan, at: layout.bitmaps + piece.first / 8)
        try file.write(piece.dumped.rawSpan, at: layout.bitmaps + layout.bitmapSize + piece.first / 8)
        let descriptors = piece.descriptors(at: end, zeroPage: layout.zeroPage)
        try file.write(descriptors.rawSpan, at: layout.descriptors + summary.pages * KdumpOutputLayout.descriptorSize)
        try file.write(piece.data.rawSpan, at: end)
      } catch {
        failure = error
        return false
      }
      end += UInt64(piece.data.count)
      summary.pages += UInt64(piece.pages.count)
      summary.zeroPages += UInt64(piece.zeroPages)
      summary.unreadable += UInt64(piece.unreadable)
      return true
    }

    mutating func finish() throws(LocatedError) -> KdumpSummary {
      if let failure { throw failure }
      summary.fileSize = end
      try file.finish(size: end)
      return summary
    }
  }
}
