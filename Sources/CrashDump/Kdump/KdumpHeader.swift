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
  /// header_version, 1 to 6: how much of the sub-header there is.
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
  let dumpLevel: Int?
  /// The frames of this part, where the dump is split into several files.
  let part: Range<UInt64>?
  /// Where the VMCOREINFO text is.
  let vmcoreinfo: Range<UInt64>?
  /// Where the ELF notes are.
  let notes: Range<UInt64>?
  /// The bytes that parts of one dump have in common: utsname and time.
  let identity: [UInt8]

  /// Whether a file begins as kdump files do.
  static func recognises(_ bytes: RawSpan) -> Bool {
    bytes.hasBytes("KDUMP   ", at: 0) || bytes.hasBytes("DISKDUMP", at: 0)
  }

  /// Reads the headers of `file`.
  ///
  /// - Throws: `LocatedError` where a field cannot be, or the bitmaps lie beyond the end of the file.
  init(_ file: DumpBytes) throws(LocatedError) {
    func fail(_ offset: UInt64, _ kind: LocatedError.Kind, _ message: String) -> LocatedError {
      LocatedError(file: file.path, offset: offset, kind: kind, message)
    }
    func half(_ offset: UInt64) -> UInt32 { file.integer(UInt32.self, at: offset) ?? 0 }
    func word(_ offset: UInt64) -> UInt64 { file.integer(UInt64.self, at: offset) ?? 0 }
    guard let identity = file.bytes(12..<424, limit: 412), file.integer(UInt32.self, at: 460) != nil else {
      throw fail(0, .truncated, "the file ends within its header; copy it again")
    }
    let version = half(8)
    guard (1...6).contains(version) else {
      throw fail(8, .unsupported, "has header version \(version); 1 to 6 are known (is it of a big-endian machine?)")
    }
    let block = UInt64(half(428))
    guard block.nonzeroBitCount == 1, (1024...(1 << 20)).contains(block) else {
      throw fail(428, .malformed, "says that a block has \(Int32(bitPattern: half(428))) bytes; it is damaged")
    }
    let subHeaderBlocks = UInt64(half(432))
    let bitmapBlocks = UInt64(half(436))
    guard subHeaderBlocks < 1 << 24 else { throw fail(432, .malformed, "its sub-header cannot be that large") }
    let sub = block
    var frames = UInt64(half(440))
    if version >= 6 { frames = max(word(sub + 96), frames) }
    guard frames > 0, frames <= Limits.pageFrames else {
      throw fail(version >= 6 ? sub + 96 : 440, .malformed, "says that it has \(frames) page frames; it is damaged")
    }
    let oneBitmap = ((frames + 7) / 8 + block - 1) / block
    let offset = (1 + subHeaderBlocks) * block
    guard bitmapBlocks >= oneBitmap, file.range(at: offset, count: bitmapBlocks * block) != nil else {
      throw fail(
        436, bitmapBlocks < oneBitmap ? .malformed : .truncated,
        "its bitmaps, \(bitmapBlocks) blocks of \(block) bytes for \(frames) page frames, are not all there")
    }
    func span(_ offsetField: UInt64, _ limit: UInt64) -> Range<UInt64>? {
      let size = min(word(offsetField + 8), limit)
      let start = word(offsetField)
      return start > 0 && size > 0 ? file.range(at: start, count: size) : nil
    }
    self.version = Int(version)
    self.identity = identity
    blockSize = block
    status = half(424)
    frameCount = frames
    bitmapOffset = offset
    hasTwoBitmaps = bitmapBlocks >= 2 * oneBitmap
    bitmapSize = hasTwoBitmaps ? bitmapBlocks / 2 * block : bitmapBlocks * block
    descriptorsOffset = offset + bitmapBlocks * block
    dumpLevel = version >= 1 ? Int(Int32(bitPattern: half(sub + 8))) : nil
    if version >= 2, half(sub + 12) != 0 {
      let start = version >= 6 ? word(sub + 80) : word(sub + 16)
      let end = version >= 6 ? word(sub + 88) : word(sub + 24)
      guard start <= end, start < frames else {
        throw fail(sub + 16, .malformed, "is the part of a split dump, for frames \(start) to \(end) of \(frames)")
      }
      part = start..<min(end, frames)
    } else {
      part = nil
    }
    vmcoreinfo = version >= 3 ? span(sub + 32, UInt64(Limits.vmcoreinfoBytes)) : nil
    notes = version >= 4 ? span(sub + 48, Limits.noteBytes) : nil
  }
}
