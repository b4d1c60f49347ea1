import Bytes

/// Several files, one after another, as one.
final class FileSet: ByteSource {
  let path: String
  let byteCount: UInt64
  private let parts: [(start: UInt64, file: MappedFile)]

  /// Joins `files` in their order.
  init(path: String, _ files: [MappedFile]) {
    var start: UInt64 = 0
    var parts: [(UInt64, MappedFile)] = []
    for file in files {
      parts.append((start, file))
      start += file.byteCount
    }
    self.path = path
    self.parts = parts
    byteCount = start
  }

  /// The file that holds `count` bytes at `offset`, and where in it they are.
  private func place(_ offset: UInt64, _ count: UInt64) -> (MappedFile, UInt64)? {
    for part in parts where offset >= part.start && offset - part.start < part.file.byteCount {
      return count <= part.file.byteCount - (offset - part.start) ? (part.file, offset - part.start) : nil
    }
    return nil
  }

  func word(at offset: UInt64) -> UInt64? {
    guard let (file, inside) = place(offset, 8) else { return nil }
    return file.word(at: inside)
  }

  func copy(_ offset: UInt64, count: Int, into buffer: inout MutableRawSpan, at position: Int) -> Bool {
    guard let (file, inside) = place(offset, UInt64(count)) else { return count == 0 }
    return file.copy(inside, count: count, into: &buffer, at: position)
  }

  func withBytes<R>(_ range: Range<UInt64>, _ body: (RawSpan) -> R) -> R? {
    let count = range.upperBound - range.lowerBound
    guard let (file, inside) = place(range.lowerBound, count) else { return nil }
    return file.withBytes(inside..<(inside + count), body)
  }
}
