import Glibc
import KernelVA

/// The output of answers through one buffer, with numbers written digit by digit.
///
/// Only the buffer is allocated.
final class Output {
  /// Where it goes.
  enum Destination {
    /// An open file. A failed write ends the process with one line, since nothing after it could be written.
    case file(Int32)
    /// A file or a pipe of one command of a session. After a failed write, which is recorded, or an interrupt, the rest
    /// is dropped.
    case job(Int32)
    /// A JSON string in another output.
    case string(in: Output)
    /// Memory. What exceeds its limit is dropped.
    case collected(CollectedOutput)
  }

  /// How objects are separated.
  enum Framing {
    /// Each has a line of its own.
    case lines
    /// They are elements of an array; `isFirst` until one was written.
    case elements(isFirst: Bool)
  }

  /// How objects are separated.
  var framing = Framing.lines

  /// `errno` of the failed write to a job's file.
  private(set) var failure: Int32?

  /// Whether all further output is dropped.
  var isDropped: Bool {
    switch destination {
    case .job: failure != nil || Interrupt.isPending
    case .collected(let collected): collected.isFull
    case .file, .string: false
    }
  }

  /// How answers are shown.
  var display: Display
  /// Whether lines are being folded.
  var isFolding = false

  private let destination: Destination
  private let buffer = OutputBuffer()
  private var used = 0
  private var flushes = 0

  init(_ destination: Destination = .file(STDOUT_FILENO), _ display: Display = .plain) {
    self.destination = destination
    self.display = display
  }

  /// Writes out the buffer.
  func flush() {
    buffer.withBytes(used, writeOut)
    used = 0
    flushes &+= 1
  }

  /// Lets `body` write, and replaces its output with what `change` makes of it; unchanged if it is longer than half the
  /// buffer.
  func rewriting(_ body: () throws -> Void, _ change: ([UInt8]) -> [UInt8]) rethrows {
    if used > OutputBuffer.size / 2 { flush() }
    let (start, before) = (used, flushes)
    try body()
    guard flushes == before, used > start else { return }
    var written: [UInt8] = []
    buffer.withBytes(used) { bytes in
      written = (start..<used).compactMap { bytes.integer(UInt8.self, at: $0) }
    }
    used = start
    for value in change(written) { byte(value) }
  }

  private func writeOut(_ bytes: RawSpan) {
    switch destination {
    case .file(let file):
      guard let code = SystemCall.write(bytes, to: file) else { return }
      Diagnostics.report("standard output: cannot write: \(SystemCall.reason(code))")
      exit(2)
    case .job(let file):
      if !isDropped { failure = SystemCall.write(bytes, to: file, unless: { Interrupt.isPending }) }
    case .collected(let collected): collected.append(bytes)
    case .string(let outer):
      for index in 0..<bytes.byteCount { if let byte = bytes.integer(UInt8.self, at: index) { outer.escaped(byte) } }
    }
  }

  /// Writes the `count` lowest bytes of `value`, the lowest first.
  @inline(__always)
  private func append(_ value: some FixedWidthInteger & BitwiseCopyable, _ count: Int) {
    if !buffer.put(value, at: used) {
      flush()
      _ = buffer.put(value, at: 0)
    }
    used &+= count
  }

  /// Writes one byte.
  @inline(__always)
  func byte(_ value: UInt8) { append(value, 1) }

  /// Writes text as it is.
  func text(_ string: String) {
    let bytes = string.utf8.span.rawSpan
    if !buffer.put(bytes, at: used) {
      flush()
      guard buffer.put(bytes, at: 0) else { return writeOut(bytes) }
    }
    used &+= bytes.byteCount
  }

  /// Writes bytes as they are, past the buffer.
  func raw(_ bytes: [UInt8]) {
    flush()
    writeOut(bytes.rawSpan)
  }

  /// Writes the end of a line.
  func newline() { byte(UInt8(ascii: "\n")) }

  /// Writes `count` spaces.
  func spaces(_ count: Int) {
    for _ in 0..<max(0, count) { byte(UInt8(ascii: " ")) }
  }

  /// Writes `value` in hex, with at least `digits` digits of the 16 that there are, and no prefix.
  func digits(_ value: UInt64, atLeast digits: Int = 1) {
    let needed = (67 &- (value | 1).leadingZeroBitCount) &>> 2
    let count = max(needed, min(digits, 16))
    // Moves the first digit to the highest bits; what follows the last is overwritten.
    let shifted = value &<< UInt64(truncatingIfNeeded: 64 &- 4 &* count)
    append(Self.eight(UInt32(truncatingIfNeeded: shifted &>> 32)), min(count, 8))
    if count > 8 { append(Self.eight(UInt32(truncatingIfNeeded: shifted)), count &- 8) }
  }

  /// Writes `value` as two hex digits.
  @inline(__always)
  func digits(ofByte value: UInt8) { append(UInt16(truncatingIfNeeded: Self.eight(UInt32(value) &<< 24)), 2) }

  /// The eight hex digits of `value` as bytes, the first one lowest: its half-words, bytes and half-bytes are
  /// moved to their places two, four and eight at a time.
  @inline(__always)
  private static func eight(_ value: UInt32) -> UInt64 {
    var digits = UInt64(value)
    digits = (digits & 0xffff_0000) &>> 16 | (digits & 0xffff) &<< 32
    digits = (digits & 0x0000_ff00_0000_ff00) &>> 8 | (digits & 0x0000_00ff_0000_00ff) &<< 16
    digits = (digits & 0x00f0_00f0_00f0_00f0) &>> 4 | (digits & 0x000f_000f_000f_000f) &<< 8
    // 1 in each byte whose digit is a letter: `a` is 39 above the character after `9`.
    let letters = ((digits &+ 0x0606_0606_0606_0606) &>> 4) & 0x0101_0101_0101_0101
    return digits &+ 0x3030_3030_3030_3030 &+ letters &* 39
  }

  /// Writes `value` in hex with 0x.
  func hex(_ value: UInt64) {
    byte(UInt8(ascii: "0"))
    byte(UInt8(ascii: "x"))
    digits(value)
  }

  /// Writes `value` in decimal, padded with spaces on the left to `width`.
  func decimal(_ value: UInt64, width: Int = 1) {
    // The last eight digits, the first of them lowest.
    var last: UInt64 = 0
    var count = 0
    var rest = value
    repeat {
      last = last &<< 8 | (UInt64(UInt8(ascii: "0")) &+ rest % 10)
      rest /= 10
      count &+= 1
    } while rest > 0 && count < 8
    if rest > 0 { decimal(rest, width: width &- count) } else { spaces(width &- count) }
    append(last, count)
  }

  /// Writes a size as `Words.size` formats it, padded with spaces on the left to `width`.
  func size(_ bytes: UInt64, width: Int = 1) {
    let unit = bytes == 0 ? 0 : min(bytes.trailingZeroBitCount / 10, 4)
    decimal(bytes &>> UInt64(truncatingIfNeeded: unit &* 10), width: unit == 0 ? width : width &- 1)
    switch unit {
    case 1: byte(UInt8(ascii: "K"))
    case 2: byte(UInt8(ascii: "M"))
    case 3: byte(UInt8(ascii: "G"))
    case 4: byte(UInt8(ascii: "T"))
    default: break
    }
  }
}
