/// A buffer that several cores fill in parallel, each in parts of its own.
///
/// Safety: a part is checked to be in the buffer. Two threads must not use overlapping parts, and none may use one
/// after the call that borrowed the buffer has returned. The one caller guarantees both: it divides the buffer into
/// frames, gives each frame to one thread, and waits for all of them.
@safe
struct BufferParts: @unchecked Sendable {
  private let start: UnsafeMutableRawPointer?
  private let count: Int

  /// Divides `buffer`.
  init(of buffer: inout MutableRawSpan) {
    unsafe start = buffer.withUnsafeMutableBytes { $0.baseAddress }
    count = buffer.byteCount
  }

  /// Gives `body` the `count` bytes at `position`; nil if they are not in the buffer.
  func withPart<R>(at position: Int, count: Int, _ body: (inout MutableRawSpan) -> R) -> R? {
    guard let start = unsafe start, position >= 0, count >= 0, position <= self.count, count <= self.count - position
    else { return nil }
    // Swift 6.2 accepts no expression there.
    let first = unsafe start + position
    var part = unsafe MutableRawSpan(_unsafeStart: first, byteCount: count)
    return body(&part)
  }
}
