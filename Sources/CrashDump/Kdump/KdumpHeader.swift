import Bytes

/// The headers of a kdump-compressed file.
///
///     block 0                disk_dump_header
///     block 1                kdump_sub_header, notes, VMCOREINFO
///     block 1 + sub_hdr_size bitmap of the frames that exist, bitmap of the frames that were dumped
///     then                   a descriptor for each frame dumped, then the pages
///
/// (makedumpfile, diskdump_mod.h: `struct disk_dump_header`, `struct kdump_sub_header`, 64-bit layout)
struct KdumpHeader: Sendable {
  /// header_version, 1 to 6: how long the sub-header is.
  let version: Int
  /// block_size: the unit of the file and of page frame numbers, which need not be the kernel's page.
  let blockSize: UInt64
  /// status: which codecs were used (bits 0 to 2 and 5), whether it is incomplete (bit 3).
  let status: UInt32
  /// Page frame numbers are below this.
  let frameCount: UInt64
  /// Where the first bitmap begins.
  let bitmapOffset: UInt64
  /// Bytes of one bitmap, rounded up to blocks.
  let bitmapSize: UInt64
  /// Whether there are two bitmaps; very old files have one.
  let hasTwoBitmaps: Bool
  /// Where the page descriptors begin.
  let descriptorsOffset: UInt64
  /// dump_level: what makedumpfile left out.
  let dumpLevel: Int
  /// The frames of this part of a split dump. It is empty, at the end of all frames, in files for which makedumpfile
  /// had no pages left.
  let part: Range<UInt64>?
  /// Where the VMCOREINFO text is.
  let vmcoreinfo: Range<UInt64>?
  /// Where the ELF notes are.
  let notes: Range<UInt64>?
  /// Where the list of what makedumpfile erased is.
  let eraseInfo: Range<UInt64>?
  /// The bytes that are the same in all parts of one dump: utsname and time.
  let identity: [UInt8]

  /// Whether a file begins like a kdump file.
  static func recognises(_ bytes: RawSpan) -> Bool {
    bytes.hasBytes("KDUMP   ", at: 0) || bytes.hasBytes("DISKDUMP", at: 0)
  }

  /// Reads the headers of `file`.
  ///
  /// - Throws: `LocatedError` if a field is malformed, or the bitmaps lie beyond the end of the file.
  init(_ file: DumpBytes) throws(LocatedError) {
    let main = HeaderReader(file: file, start: 0)
    guard let identity = file.bytes(DiskDumpHeader.identity, limit: 412),
      file.range(at: 0, count: DiskDumpHeader.size) != nil
    else {
      throw LocatedError(
        file: file.path, offset: 0, kind: .truncated, "the file ends within its header; copy it again")
    }
    func fail<Value>(
      _ header: HeaderReader, _ field: HeaderField<Value>, _ kind: LocatedError.Kind, _ message: String
    ) -> LocatedError {
      LocatedError(file: file.path, offset: header.offset(of: field), kind: kind, message)
    }
    let version = main[DiskDumpHeader.headerVersion]
    guard (1...6).contains(version) else {
      throw fail(
        main, DiskDumpHeader.headerVersion, .unsupported,
        "has header version \(version); 1 to 6 are known (is it of a big-endian machine?)")
    }
    if let machine = ForeignMachine.describe(identity[DiskDumpHeader.machine]) {
      throw LocatedError(
        file: file.path, offset: DiskDumpHeader.identity.lowerBound + UInt64(DiskDumpHeader.machine.lowerBound),
        kind: .unsupported, "is \(machine)")
    }
    let blockSize = main[DiskDumpHeader.blockSize]
    guard blockSize.nonzeroBitCount == 1, (1024...(1 << 20)).contains(blockSize) else {
      throw fail(
        main, DiskDumpHeader.blockSize, .malformed, "says that a block has \(blockSize) bytes; it is damaged")
    }
    let block = UInt64(blockSize)
    let subHeaderBlocks = UInt64(main[DiskDumpHeader.subHeaderBlocks])
    guard subHeaderBlocks < 1 << 24 else {
      throw fail(main, DiskDumpHeader.subHeaderBlocks, .malformed, "its sub-header cannot be that large")
    }
    let sub = HeaderReader(file: file, start: block)
    let isWide = version >= 6
    let frames = max(UInt64(main[DiskDumpHeader.frameCount]), isWide ? sub[KdumpSubHeader.frameCount64] : 0)
    guard frames > 0, frames <= Limits.pageFrames else {
      let message = "says that it has \(frames) page frames; it is damaged"
      throw isWide
        ? fail(sub, KdumpSubHeader.frameCount64, .malformed, message)
        : fail(main, DiskDumpHeader.frameCount, .malformed, message)
    }
    let bitmapBlocks = UInt64(main[DiskDumpHeader.bitmapBlocks])
    let oneBitmap = ((frames + 7) / 8 + block - 1) / block
    let offset = (1 + subHeaderBlocks) * block
    guard bitmapBlocks >= oneBitmap, file.range(at: offset, count: bitmapBlocks * block) != nil else {
      throw fail(
        main, DiskDumpHeader.bitmapBlocks, bitmapBlocks < oneBitmap ? .malformed : .truncated,
        "its bitmaps, \(bitmapBlocks) blocks of \(block) bytes for \(frames) page frames, are not all there")
    }
    func span(_ offset: HeaderField<UInt64>, _ size: HeaderField<UInt64>, _ limit: UInt64) -> Range<UInt64>? {
      let start = sub[offset]
      let size = min(sub[size], limit, file.byteCount - min(start, file.byteCount))
      return start > 0 && size > 0 ? file.range(at: start, count: size) : nil
    }
    self.version = Int(version)
    self.identity = identity
    self.blockSize = block
    status = main[DiskDumpHeader.status]
    frameCount = frames
    bitmapOffset = offset
    hasTwoBitmaps = bitmapBlocks >= 2 * oneBitmap
    bitmapSize = hasTwoBitmaps ? bitmapBlocks / 2 * block : bitmapBlocks * block
    descriptorsOffset = offset + bitmapBlocks * block
    dumpLevel = Int(sub[KdumpSubHeader.dumpLevel])
    if version >= 2, sub[KdumpSubHeader.isSplit] != 0 {
      let start = sub[isWide ? KdumpSubHeader.firstFrame64 : KdumpSubHeader.firstFrame]
      let end = sub[isWide ? KdumpSubHeader.endFrame64 : KdumpSubHeader.endFrame]
      guard start <= end, start < frames || end == frames else {
        throw fail(
          sub, KdumpSubHeader.firstFrame, .malformed,
          "is the part of a split dump, for frames \(start) to \(end) of \(frames)")
      }
      part = start..<min(end, frames)
    } else {
      part = nil
    }
    vmcoreinfo =
      version >= 3
      ? span(KdumpSubHeader.vmcoreinfoOffset, KdumpSubHeader.vmcoreinfoSize, UInt64(Limits.vmcoreinfoBytes)) : nil
    notes = version >= 4 ? span(KdumpSubHeader.notesOffset, KdumpSubHeader.notesSize, .max) : nil
    eraseInfo =
      version >= 5
      ? span(KdumpSubHeader.eraseInfoOffset, KdumpSubHeader.eraseInfoSize, UInt64(Limits.eraseInfoBytes)) : nil
  }

  /// DUMP_DH_COMPRESSED_INCOMPLETE: makedumpfile ran out of space.
  var isIncomplete: Bool { status & 8 != 0 }
  /// DUMP_DH_EXCLUDED_VMEMMAP: vmemmap pages that describe only excluded pages were left out too (`-e`).
  var excludesVmemmap: Bool { status & 0x10 != 0 }
}
