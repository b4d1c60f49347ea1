import Glibc

/// What is answered, through one buffer, with numbers written digit by digit.
///
/// Nothing here allocates but the buffer.
@safe
final class Output {
  /// Where it goes.
  enum Destination {
    /// An open file. A write that fails ends the process with one line, since nothing that follows could be told.
    case file(Int32)
    /// A file or a pipe of a command among others. A write that fails is noted, and the rest is dropped; so is
    /// everything after an interrupt.
    case job(Int32)
    /// A string of JSON that is being written to another output.
    case string(in: Output)
  }

  /// How objects are set apart.
  enum Framing {
    /// Each has a line of its own.
    case lines
    /// They are the elements of an array, and `isFirst` says that none was written yet.
    case elements(isFirst: Bool)
  }

  /// How objects are set apart.
  var framing = Framing.lines

  /// `errno` of the write to a job's file that failed.
  private(set) var failure: Int32?

  /// Whether words may be coloured.
  let isColoured: Bool

  private let destination: Destination
  private let buffer: UnsafeMutableRawBufferPointer
  private var used = 0

  init(_ destination: Destination = .file(STDOUT_FILENO)) {
    self.destination = destination
    switch destination {
    case .file(let file), .job(let file): isColoured = Style.isWanted(on: file)
    case .string: isColoured = false
    }
    unsafe buffer = .allocate(byteCount: 64 << 10, alignment: 16)
  }

  deinit {
    unsafe buffer.deallocate()
  }

  /// Hands on what is buffered.
  func flush() {
    unsafe writeOut(UnsafeRawBufferPointer(rebasing: buffer[..<used]))
    used = 0
  }

  private func writeOut(_ bytes: UnsafeRawBufferPointer) {
    switch destination {
    case .file(let file):
      guard let code = unsafe write(bytes, to: file) else { return }
      let reason = unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
      Diagnostics.report("standard output: cannot write: \(reason)")
      exit(2)
    case .job(let file): if failure == nil, !Interrupt.isPending { failure = unsafe write(bytes, to: file) }
    case .string(let outer): for index in bytes.indices { outer.escaped(unsafe bytes[index]) }
    }
  }

  /// Writes all of `bytes`, or returns `errno`.
  private func write(_ bytes: UnsafeRawBufferPointer, to file: Int32) -> Int32? {
    let count = bytes.count
    var start = 0
    while start < count {
      let written = unsafe Glibc.write(file, bytes.baseAddress?.advanced(by: start), count - start)
      if written > 0 {
        start += written
      } else if written < 0, errno != EINTR {
        return errno
      }
    }
    return nil
  }

  /// Writes one byte.
  @inline(__always)
  func byte(_ value: UInt8) {
    if unsafe used == buffer.count { flush() }
    unsafe buffer[used] = value
    used &+= 1
  }

  /// Writes text as it is.
  func text(_ string: String) {
    var string = string
    string.withUTF8 { unsafe copy(UnsafeRawBufferPointer($0)) }
  }

  /// Writes bytes through the buffer.
  private func copy(_ bytes: UnsafeRawBufferPointer) {
    if unsafe bytes.count > buffer.count - used { flush() }
    guard unsafe bytes.count <= buffer.count else { return unsafe writeOut(bytes) }
    unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[used...]).copyMemory(from: bytes)
    used &+= bytes.count
  }

  /// Writes bytes as they are, past the buffer.
  func raw(_ bytes: [UInt8]) {
    flush()
    unsafe bytes.withUnsafeBytes { unsafe writeOut($0) }
  }

  /// Writes the end of a line.
  func newline() { byte(UInt8(ascii: "\n")) }

  /// Writes `count` spaces.
  func spaces(_ count: Int) {
    for _ in 0..<max(0, count) { byte(UInt8(ascii: " ")) }
  }

  /// Writes `value` in hex, with at least `digits` digits and no prefix.
  func digits(_ value: UInt64, atLeast digits: Int = 1) {
    let needed = max(1, (67 - value.leadingZeroBitCount) / 4)
    var position = max(needed, digits)
    while position > 0 {
      position -= 1
      let digit = position < 16 ? UInt8(truncatingIfNeeded: value >> UInt64(position * 4) & 15) : 0
      byte(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
  }

  /// Writes `value` in hex with 0x.
  func hex(_ value: UInt64) {
    byte(UInt8(ascii: "0"))
    byte(UInt8(ascii: "x"))
    digits(value)
  }

  /// Writes `value` in decimal.
  func decimal(_ value: UInt64) {
    if value >= 10 { decimal(value / 10) }
    byte(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10))
  }
}
