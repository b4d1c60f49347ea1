import Glibc
import KernelVA

/// The lines of standard input as they arrive.
struct InputLines: ~Copyable {
  /// A line without its newline and surrounding blanks.
  struct Line {
    /// Its bytes.
    var bytes: ArraySlice<UInt8>
    /// Whether it exceeded the limit and was truncated.
    var isCut = false
    /// The line as text.
    var text: String { String(decoding: bytes, as: UTF8.self) }
  }

  private let limit: Int
  private var buffer: [UInt8] = []
  private var start = 0
  private var isAtEnd = false
  private var isSkipping = false

  /// - Parameter limit: the longest line, in bytes.
  init(limit: Int) { self.limit = limit }

  /// The next line, or nil at the end of the input. `beforeWaiting` is called whenever no complete line is buffered, so
  /// that answers go out before the process blocks.
  mutating func next(beforeWaiting: () -> Void) -> Line? {
    var searched = start
    while true {
      if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        let line = buffer[start..<end]
        start = end + 1
        if !isSkipping { return Self.trimmed(line.prefix(limit), isCut: line.count > limit) }
        isSkipping = false
        searched = start
        continue
      }
      if isAtEnd {
        guard start < buffer.count, !isSkipping else { return nil }
        defer { start = buffer.count }
        return Self.trimmed(buffer[start...].prefix(limit), isCut: buffer.count - start > limit)
      }
      if isSkipping { start = buffer.count }
      if buffer.count - start > limit {
        // The rest of the line is skipped.
        isSkipping = true
        defer { start = buffer.count }
        return Self.trimmed(buffer[start...].prefix(limit), isCut: true)
      }
      beforeWaiting()
      searched = buffer.count - start
      buffer.removeFirst(start)
      start = 0
      fill()
    }
  }

  private mutating func fill() {
    if SystemCall.read(64 << 10, from: STDIN_FILENO, to: &buffer) == 0 { isAtEnd = true }
  }

  /// A line without surrounding blanks and a carriage return.
  private static func trimmed(_ bytes: ArraySlice<UInt8>, isCut: Bool) -> Line {
    var bytes = bytes
    while let last = bytes.last, last <= 0x20 { bytes.removeLast() }
    while let first = bytes.first, first <= 0x20 { bytes.removeFirst() }
    return Line(bytes: bytes, isCut: isCut)
  }
}
