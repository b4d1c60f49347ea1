import Bytes
import CrashDump
import VMSA

/// Copies physical memory to a file, with holes for zero pages.
struct MemoryCopier {
  let memory: any PhysicalMemory

  /// Bytes read at once.
  private static let pieceBytes: UInt64 = 1 << 20

  /// Copies the `size` bytes of whole pages at `start` to `offset` of `file`.
  ///
  /// - Parameter progress: called with the number of bytes just written.
  /// - Returns: the pages that cannot be read.
  func copy(
    _ start: UInt64, _ size: UInt64, to file: borrowing OutputFile, at offset: UInt64, _ progress: (UInt64) -> Void
  ) throws(LocatedError) -> [UInt64] {
    var damaged: [UInt64] = []
    var done: UInt64 = 0
    while done < size {
      let count = min(Self.pieceBytes, size - done)
      let here = start + done
      if let bytes = try? memory.bytes(at: PhysicalAddress(here), count: Int(count)) {
        try Self.write(bytes.rawSpan, to: file, at: offset + done)
      } else {
        for page in stride(from: here, to: here + count, by: Int(PhysicalRuns.pageSize)) {
          if let bytes = try? memory.bytes(at: PhysicalAddress(page), count: Int(PhysicalRuns.pageSize)) {
            try Self.write(bytes.rawSpan, to: file, at: offset + (page - start))
          } else {
            damaged.append(page)
          }
        }
      }
      progress(count)
      done += count
    }
    return damaged
  }

  /// Writes `bytes`, except for zero pages.
  private static func write(_ bytes: RawSpan, to file: borrowing OutputFile, at offset: UInt64) throws(LocatedError) {
    var start = 0
    let page = Int(PhysicalRuns.pageSize)
    var position = 0
    while position < bytes.byteCount {
      let end = min(position + page, bytes.byteCount)
      if bytes.extracting(position..<end).isZero {
        if start < position { try file.write(bytes.extracting(start..<position), at: offset + UInt64(start)) }
        start = end
      }
      position = end
    }
    if start < position { try file.write(bytes.extracting(start..<position), at: offset + UInt64(start)) }
  }
}
