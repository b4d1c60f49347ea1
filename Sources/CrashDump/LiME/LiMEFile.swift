import Bytes
import VMSA

/// A LiME file: ranges of System RAM, each after a header.
///
///     magic u32 = 0x4c694d45 | version u32 = 1 | start u64 | end u64, inclusive | reserved u64 | bytes
///
/// (LiME, doc/README.md, "lime" format; its "padded" and "raw" formats are raw memory.) A decompressed AVML
/// file of version 2 is the same with another magic and version.
final class LiMEFile: SegmentedContainer {
  let notes = DumpNotes()
  let memory: SegmentedMemory
  /// Bytes after the last range.
  private let trailing: UInt64
  private let format: String

  private static var headerSize: UInt64 { 32 }
  /// "AVML"
  private static var avml: UInt32 { 0x4c4d_5641 }

  /// Whether a file begins like a LiME file.
  static func recognises(_ bytes: RawSpan) -> Bool { bytes.hasBytes("EMiL", at: 0) }

  /// Reads the header of each range.
  ///
  /// - Parameter format: what `info` calls it.
  /// - Throws: `LocatedError` for an invalid header, or a range that ends before it begins.
  init(_ file: DumpBytes, format: String = "LiME") throws(LocatedError) {
    func fail(_ offset: UInt64, _ kind: LocatedError.Kind, _ message: String) -> LocatedError {
      LocatedError(file: file.path, offset: offset, kind: kind, message)
    }
    var segments: [MemoryMap.Segment] = []
    var position: UInt64 = 0
    while file.range(at: position, count: Self.headerSize) != nil {
      guard let magic = file.integer(UInt32.self, at: position), magic == 0x4c69_4d45 || magic == Self.avml,
        let version = file.integer(UInt32.self, at: position + 4), let start = file.word(at: position + 8),
        let last = file.word(at: position + 16)
      else {
        // Tools that copy whole blocks pad the last one.
        if !segments.isEmpty, file.isZero(position..<file.byteCount) { break }
        throw fail(position, .malformed, "there is no LiME header where one must be; it is damaged")
      }
      guard version == (magic == Self.avml ? 2 : 1) else {
        throw fail(position + 4, .unsupported, "has LiME version \(version); 1 is known")
      }
      guard start <= last, last - start < 1 << 52, segments.count < Limits.memoryRanges else {
        throw fail(position + 8, .malformed, "a range ends before it begins, or there are too many; it is damaged")
      }
      let size = last - start + 1
      segments.append(
        MemoryMap.Segment(
          physical: start, offset: position + Self.headerSize, fileSize: size, memorySize: size))
      position += Self.headerSize
      position += min(size, file.byteCount - position)
    }
    guard !segments.isEmpty else { throw fail(0, .truncated, "the file ends within its header; copy it again") }
    self.format = format
    trailing = file.byteCount - position
    memory = SegmentedMemory(source: file, map: MemoryMap(segments: segments, fileCount: file.byteCount))
  }

  var warnings: [Diagnostic] {
    memory.warnings
      + memory.conflicts(limit: Limits.comparedBytes) { "the range \($0.name)" }
      + (trailing > 0
        ? [Diagnostic(.trailingBytes, "\(trailing) bytes behind its last range belong to none; they are ignored")] : [])
  }
  var summary: DumpSummary { memory.summary(format: format) }
}
