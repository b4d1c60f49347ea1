import Bytes

/// Several files, one after another, as one.
final class FileSet: ByteSource {
  let path: String
  let byteCount: UInt64
  private let parts: [(start: UInt64, file: DumpBytes)]

  /// Joins `files` in their order; what lies beyond 2^64 bytes is left out.
  init(path: String, _ files: [DumpBytes]) {
    var start: UInt64 = 0
    var parts: [(UInt64, DumpBytes)] = []
    for file in files {
      let (end, overflow) = start.addingReportingOverflow(file.byteCount)
      guard !overflow else { break }
      parts.append((start, file))
      start = end
    }
    self.path = path
    self.parts = parts
    byteCount = start
  }

  /// The file that holds the byte at `offset`, and where in it that is.
  private func place(_ offset: UInt64) -> (file: DumpBytes, inside: UInt64)? {
    for part in parts where offset >= part.start && offset - part.start < part.file.byteCount {
      return (part.file, offset - part.start)
    }
    return nil
  }

  func word(at offset: UInt64) -> UInt64? {
    guard let (file, inside) = place(offset) else { return nil }
    if let word = file.word(at: inside) { return word }
    guard let range = range(at: offset, count: 8) else { return nil }
    return withBytes(range) { $0.integer(UInt64.self, at: 0) } ?? nil
  }

  func copy(_ offset: UInt64, count: Int, into buffer: inout MutableRawSpan, at position: Int) -> Bool {
    guard count >= 0 else { return false }
    var done = 0
    while done < count {
      guard let (file, inside) = place(offset &+ UInt64(done)) else { return false }
      let part = Int(min(UInt64(count - done), file.byteCount - inside))
      guard file.copy(inside, count: part, into: &buffer, at: position + done) else { return false }
      done += part
    }
    return true
  }

  /// Shows `body` the bytes of `range`: in place if one file holds them, else a copy.
  func withBytes<R>(_ range: Range<UInt64>, _ body: (RawSpan) -> R) -> R? {
    let count = range.upperBound - range.lowerBound
    if let (file, inside) = place(range.lowerBound), count <= file.byteCount - inside {
      return file.withBytes(inside..<(inside + count), body)
    }
    return withCopy(of: range, body)
  }
}
