import Glibc

/// A file that is read piece by piece: one that cannot be mapped, such as `/proc/kcore`.
///
/// Safety: pread(2) is given the size of the buffer, and writes no more.
package final class UnmappedFile: ByteSource {
  /// The path as given, for messages.
  package let path: String
  /// The size in bytes; the largest possible if the system does not report one.
  package let byteCount: UInt64
  private let descriptor: Int32

  /// Opens `path`.
  ///
  /// - Throws: `LocatedError` when it does not exist, may not be read, or is not a file.
  package init(path: String) throws(LocatedError) {
    let (descriptor, status) = try SystemFile.open(path)
    self.path = path
    self.descriptor = descriptor
    // Files that the kernel generates on reading have no size.
    byteCount = status.st_size > 0 ? UInt64(status.st_size) : UInt64(Int64.max)
  }

  deinit {
    close(descriptor)
  }

  /// The little-endian 64-bit word at `offset`; nil if it cannot be read.
  package func word(at offset: UInt64) -> UInt64? {
    var value: UInt64 = 0
    let isWhole = unsafe withUnsafeMutableBytes(of: &value) { unsafe fill($0, from: offset) }
    return isWhole ? UInt64(littleEndian: value) : nil
  }

  /// Copies `count` bytes from `offset` to `position` of `buffer`; false if they cannot all be read.
  package func copy(_ offset: UInt64, count: Int, into buffer: inout MutableRawSpan, at position: Int) -> Bool {
    guard count >= 0, position >= 0, position <= buffer.byteCount, count <= buffer.byteCount - position else {
      return false
    }
    return unsafe buffer.withUnsafeMutableBytes { target in
      unsafe fill(UnsafeMutableRawBufferPointer(rebasing: target[position..<(position + count)]), from: offset)
    }
  }

  /// Shows `body` a copy of the bytes of `range`, 64 MiB at most.
  package func withBytes<R>(_ range: Range<UInt64>, _ body: (RawSpan) -> R) -> R? {
    withCopy(of: range, body)
  }

  private func fill(_ target: UnsafeMutableRawBufferPointer, from offset: UInt64) -> Bool {
    let wanted = target.count
    guard let start = target.baseAddress, let position = Int(exactly: offset) else { return wanted == 0 }
    var done = 0
    while done < wanted {
      let count = unsafe pread(descriptor, start + done, wanted - done, position + done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }
}
