import Glibc
import KernelVA

/// The lines of standard input, as they come.
struct InputLines: ~Copyable {
  private var buffer: [UInt8] = []
  private var start = 0
  private var isAtEnd = false

  /// The next line without its end, or nil at the end of the input. `beforeWaiting` is called whenever no
  /// whole line is at hand, so that answers go out before the process blocks.
  mutating func next(beforeWaiting: () -> Void) -> String? {
    var searched = start
    while true {
      if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { start = end + 1 }
        return Self.line(buffer[start..<end])
      }
      searched = buffer.count
      if isAtEnd || buffer.count - start > Limits.queryBytes {
        defer { start = buffer.count }
        return start < buffer.count ? Self.line(buffer[start...]) : nil
      }
      beforeWaiting()
      searched -= start
      buffer.removeFirst(start)
      start = 0
      fill()
    }
  }

  private mutating func fill() {
    let chunk = 64 << 10
    let old = buffer.count
    buffer.append(contentsOf: repeatElement(0, count: chunk))
    var count = 0
    repeat {
      count = unsafe buffer.withUnsafeMutableBytes { bytes in
        unsafe read(STDIN_FILENO, bytes.baseAddress?.advanced(by: old), chunk)
      }
    } while count < 0 && errno == EINTR
    if count <= 0 { isAtEnd = true }
    buffer.removeLast(chunk - max(0, count))
  }

  /// A line as text, blanks around it and a carriage return taken off.
  private static func line(_ bytes: ArraySlice<UInt8>) -> String {
    var bytes = bytes
    while let last = bytes.last, last <= 0x20 { bytes.removeLast() }
    while let first = bytes.first, first <= 0x20 { bytes.removeFirst() }
    return String(decoding: bytes, as: UTF8.self)
  }
}
