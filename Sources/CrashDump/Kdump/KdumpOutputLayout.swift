import Bytes

/// The layout of an output kdump file, and its headers.
struct KdumpOutputLayout: Sendable {
  let blockSize: UInt64
  let bitmaps: UInt64
  /// Bytes of one bitmap, in whole blocks.
  let bitmapSize: UInt64
  let descriptors: UInt64
  let zeroPage: UInt64
  private let subHeaderBlocks: UInt64
  private let frames: UInt64
  private let pages: UInt64

  /// `sizeof(page_desc_t)`.
  static let descriptorSize: UInt64 = 24
  /// Where in the sub-header's block the notes begin, after its fields.
  private static let notesOffset: UInt64 = 112

  /// - Parameters:
  ///   - frames: the end of the page frame numbers (exclusive).
  ///   - pages: the most descriptors there may be.
  init(_ description: KdumpDescription, frames: UInt64, pages: UInt64) {
    let block = description.pageSize
    func blocks(_ bytes: UInt64) -> UInt64 { (bytes + block - 1) / block }
    blockSize = block
    self.frames = frames
    self.pages = pages
    subHeaderBlocks = blocks(Self.notesOffset + UInt64(description.notes.count))
    bitmaps = (1 + subHeaderBlocks) * block
    bitmapSize = blocks((frames + 7) / 8) * block
    descriptors = bitmaps + 2 * bitmapSize
    zeroPage = descriptors + pages * Self.descriptorSize
  }

  /// The blocks before the bitmaps.
  func headers(_ description: KdumpDescription, _ pieces: FramePieces) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(bitmaps))
    func put<Value>(_ value: some BinaryInteger, _ field: HeaderField<Value>, at start: UInt64 = 0) {
      let value = Value(truncatingIfNeeded: value)
      for index in 0..<MemoryLayout<Value>.size {
        bytes[Int(start + field.offset) + index] = UInt8(truncatingIfNeeded: value >> Value(8 * index))
      }
    }
    bytes.replaceSubrange(0..<8, with: "KDUMP   ".utf8)
    put(6, DiskDumpHeader.headerVersion)
    for (number, name) in description.systemNames.prefix(6).enumerated() {
      let start = Int(DiskDumpHeader.identity.lowerBound) + 65 * number
      let text = name.utf8.prefix(64)
      bytes.replaceSubrange(start..<(start + text.count), with: text)
    }
    put(description.time, DiskDumpHeader.timestamp)
    put(description.compression.codec.rawValue, DiskDumpHeader.status)
    put(blockSize, DiskDumpHeader.blockSize)
    put(subHeaderBlocks, DiskDumpHeader.subHeaderBlocks)
    put(2 * bitmapSize / blockSize, DiskDumpHeader.bitmapBlocks)
    put(UInt32(clamping: frames), DiskDumpHeader.frameCount)
    put(UInt32(clamping: pieces.frameCount), DiskDumpHeader.ramBlocks)
    put(UInt32(clamping: pages), DiskDumpHeader.writtenBlocks)
    put(description.cpuCount, DiskDumpHeader.cpuCount)
    let sub = blockSize
    put(description.physicalBase, KdumpSubHeader.physicalBase, at: sub)
    put(description.dumpLevel, KdumpSubHeader.dumpLevel, at: sub)
    let notes = sub + Self.notesOffset
    if !description.vmcoreinfo.isEmpty {
      put(notes + UInt64(description.vmcoreinfo.lowerBound), KdumpSubHeader.vmcoreinfoOffset, at: sub)
      put(description.vmcoreinfo.count, KdumpSubHeader.vmcoreinfoSize, at: sub)
    }
    put(notes, KdumpSubHeader.notesOffset, at: sub)
    put(description.notes.count, KdumpSubHeader.notesSize, at: sub)
    put(frames, KdumpSubHeader.frameCount64, at: sub)
    bytes.replaceSubrange(Int(notes)..<(Int(notes) + description.notes.count), with: description.notes)
    return bytes
  }
}
