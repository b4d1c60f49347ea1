import Glibc

/// Standard output through one buffer, with numbers written into it as they stand.
///
/// Nothing here allocates but the buffer. A write that fails ends the process with one line, since nothing
/// that follows could be told.
@safe
final class Output {
  private let buffer: UnsafeMutableRawBufferPointer
  private var used = 0

  init() {
    unsafe buffer = .allocate(byteCount: 64 << 10, alignment: 16)
  }

  deinit {
    unsafe buffer.deallocate()
  }

  /// Writes what is buffered to standard output.
  func flush() {
    unsafe writeOut(UnsafeRawBufferPointer(rebasing: buffer[..<used]))
    used = 0
  }

  /// Writes all of `bytes` to standard output.
  private func writeOut(_ bytes: UnsafeRawBufferPointer) {
    let count = bytes.count
    var start = 0
    while start < count {
      let written = unsafe Glibc.write(STDOUT_FILENO, bytes.baseAddress?.advanced(by: start), count - start)
      if written > 0 {
        start += written
      } else if written < 0, errno != EINTR {
        let reason = unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "error \(errno)"
        Diagnostics.report("standard output: cannot write: \(reason)")
        exit(2)
      }
    }
  }

  /// Makes room for `count` bytes, no more than the buffer has, behind what is buffered.
  @inline(__always)
  private func reserve(_ count: Int) {
    if unsafe buffer.count &- used < count { flush() }
  }

  /// Writes one byte.
  @inline(__always)
  func byte(_ value: UInt8) {
    reserve(1)
    unsafe buffer[used] = value
    used &+= 1
  }

  /// Writes text as it is.
  func text(_ string: String) {
    let isWritten: Void? = unsafe string.utf8.withContiguousStorageIfAvailable { unsafe append($0) }
    if isWritten == nil { for value in string.utf8 { byte(value) } }
  }

  private func append(_ bytes: UnsafeBufferPointer<UInt8>) {
    guard unsafe bytes.count <= buffer.count else {
      flush()
      return unsafe writeOut(UnsafeRawBufferPointer(bytes))
    }
    reserve(bytes.count)
    guard let from = bytes.baseAddress, let to = unsafe buffer.baseAddress else { return }
    unsafe (to + used).copyMemory(from: from, byteCount: bytes.count)
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
    for _ in 0..<max(0, digits &- 16) { byte(UInt8(ascii: "0")) }
    let needed = (67 &- (value | 1).leadingZeroBitCount) &>> 2
    let count = max(needed, min(digits, 16))
    // The first digit into the highest bits; what stands behind the last is written over.
    let shifted = value &<< UInt64(truncatingIfNeeded: 64 &- 4 &* count)
    reserve(16)
    unsafe buffer.storeBytes(
      of: Self.eight(UInt32(truncatingIfNeeded: shifted &>> 32)), toByteOffset: used, as: UInt64.self)
    unsafe buffer.storeBytes(
      of: Self.eight(UInt32(truncatingIfNeeded: shifted)), toByteOffset: used &+ 8, as: UInt64.self)
    used &+= count
  }

  /// The eight hex digits of `value` as bytes, the first one lowest: its half-words, bytes and half-bytes are
  /// moved to their places two, four and eight at a time.
  @inline(__always)
  private static func eight(_ value: UInt32) -> UInt64 {
    var digits = UInt64(value)
    digits = (digits & 0xffff_0000) &>> 16 | (digits & 0xffff) &<< 32
    digits = (digits & 0x0000_ff00_0000_ff00) &>> 8 | (digits & 0x0000_00ff_0000_00ff) &<< 16
    digits = (digits & 0x00f0_00f0_00f0_00f0) &>> 4 | (digits & 0x000f_000f_000f_000f) &<< 8
    // 1 in each byte whose digit is a letter: `a` comes 39 after what would follow `9`.
    let letters = ((digits &+ 0x0606_0606_0606_0606) &>> 4) & 0x0101_0101_0101_0101
    return (digits &+ 0x3030_3030_3030_3030 &+ letters &* 39).littleEndian
  }

  /// Writes `value` in hex with 0x.
  func hex(_ value: UInt64) {
    byte(UInt8(ascii: "0"))
    byte(UInt8(ascii: "x"))
    digits(value)
  }

  /// Writes `value` in decimal, with spaces before it where it has fewer than `width` digits.
  func decimal(_ value: UInt64, width: Int = 1) {
    var count = 1
    var rest = value
    while rest >= 10 {
      rest /= 10
      count &+= 1
    }
    spaces(width &- count)
    reserve(20)
    rest = value
    for place in (0..<count).reversed() {
      unsafe buffer[used &+ place] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
    used &+= count
  }

  /// Writes a size as `Words.size` puts it, with spaces before it up to `width`.
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
