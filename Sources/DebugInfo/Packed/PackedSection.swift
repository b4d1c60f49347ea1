import Bytes
import CElf

/// A compressed section of debug information.
///
///     SHF_COMPRESSED: ch_type u32 | reserved u32 | ch_size u64 | ch_addralign u64 | packed     (gABI)
///     .zdebug_*:      "ZLIB" | size u64, big-endian | packed                                  (GNU, before that)
struct PackedSection {
  let method: Unpacking
  /// Its claimed uncompressed size in bytes.
  let size: UInt64
  let alignment: UInt64
  /// The range of the compressed bytes in the file.
  let content: Range<UInt64>

  /// Reads the header of `section`; nil if it is not compressed.
  ///
  /// - Throws: `LocatedError` if its header is damaged, or names an unknown compression method.
  init?(_ section: ELFImage.Section, in file: MappedFile) throws(LocatedError) {
    guard section.isPacked else { return nil }
    let headerSize: UInt64 = section.isCompressed ? 24 : 12
    let type = section.isCompressed ? file.integer(UInt32.self, at: section.offset) : Unpacking.zlib.rawValue
    let (start, startOverflow) = section.offset.addingReportingOverflow(headerSize)
    let (end, endOverflow) = section.offset.addingReportingOverflow(section.size)
    let isMarked = section.isCompressed || file.integer(UInt32.self, at: section.offset) == 0x4249_4c5a  // "ZLIB"
    guard section.size >= headerSize, isMarked, !startOverflow, !endOverflow, end <= file.byteCount, let type,
      let size = file.integer(UInt64.self, at: start - (section.isCompressed ? 16 : 8))
    else {
      throw LocatedError(
        file: file.path, offset: section.offset, kind: .malformed,
        "packed section \(section.name) has a damaged header")
    }
    guard let method = Unpacking(rawValue: type) else {
      throw LocatedError(
        file: file.path, offset: section.offset, kind: .unsupported,
        "section \(section.name) is packed in a way that kva does not know; unpack it: "
          + "objcopy --decompress-debug-sections")
    }
    self.method = method
    self.size = section.isCompressed ? size : size.byteSwapped
    alignment = section.isCompressed ? file.integer(UInt64.self, at: start - 8) ?? 1 : 1
    content = start..<end
  }

  /// Shows `body` the uncompressed bytes, piece by piece, until it returns false.
  ///
  /// - Returns: false if it did, or if they are damaged or not as many as the section claims.
  func unpack(_ file: MappedFile, _ body: (RawSpan) -> Bool) -> Bool {
    var left = size
    let isWhole = file.withBytes(content) { packed in
      method.unpack(packed) { piece in
        guard UInt64(piece.byteCount) <= left else { return false }
        left -= UInt64(piece.byteCount)
        return body(piece)
      }
    }
    return isWhole == true && left == 0
  }
}
