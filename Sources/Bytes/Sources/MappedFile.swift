import Glibc

/// A regular file mapped read-only: opening a terabyte costs the same as opening a page, and only the pages that are
/// accessed are read.
///
/// The mapping lives as long as the object. It may be read from any number of threads.
///
/// Safety: the mapping is private, read-only, of `count` bytes, and ends with the object; each read is checked against
/// `count`, and spans cannot outlive the object. If the file shrinks afterwards, the system sends SIGBUS, which ends
/// the process (the command says why).
@safe
package final class MappedFile: ByteSource, @unchecked Sendable {
  /// The path as given, for messages.
  package let path: String
  /// The size in bytes when the file was opened; never zero.
  package let count: Int
  @usableFromInline let base: UnsafeRawPointer
  private let holes: FileHoles?

  /// Maps `path`.
  ///
  /// - Throws: `LocatedError` when it does not exist, may not be read, is a directory, a pipe or a device,
  ///   or is empty.
  package init(path: String) throws(LocatedError) {
    let (descriptor, status) = try SystemFile.open(path)
    defer { close(descriptor) }
    guard status.st_size > 0 else {
      throw LocatedError(file: path, kind: .truncated, "is empty; the dump was not written")
    }
    let size = Int(status.st_size)
    guard let mapping = unsafe mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0),
      unsafe mapping != MAP_FAILED
    else { throw SystemFile.error(path, "cannot map") }
    self.path = path
    count = size
    holes = FileHoles(path, status)
    unsafe base = UnsafeRawPointer(mapping)
  }

  deinit {
    unsafe munmap(UnsafeMutableRawPointer(mutating: base), count)
  }

  /// The whole file.
  @inlinable
  package var bytes: RawSpan {
    @_lifetime(borrow self)
    get { unsafe _overrideLifetime(RawSpan(_unsafeStart: base, byteCount: count), borrowing: self) }
  }

  /// The size in bytes.
  package var byteCount: UInt64 { UInt64(count) }

  /// The little-endian 64-bit word at `offset`; nil past the end.
  @inlinable @inline(__always)
  package func word(at offset: UInt64) -> UInt64? { integer(UInt64.self, at: offset) }

  /// The little-endian integer at `offset`, or nil if the file ends before it does.
  @inlinable @inline(__always)
  package func integer<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type = T.self, at offset: UInt64) -> T? {
    let size = MemoryLayout<T>.size
    guard count >= size, offset <= UInt64(count &- size) else { return nil }
    return unsafe T(
      littleEndian: base.loadUnaligned(fromByteOffset: Int(truncatingIfNeeded: offset), as: T.self))
  }

  /// Shows `body` the bytes of `range`; nil if they are not all there. Nothing is copied.
  package func withBytes<R>(_ range: Range<UInt64>, _ body: (RawSpan) -> R) -> R? {
    guard range.upperBound <= UInt64(count) else { return nil }
    return body(bytes.extracting(Int(range.lowerBound)..<Int(range.upperBound)))
  }

  /// Copies `count` bytes from `offset` to `position` of `buffer`.
  ///
  /// - Returns: false, with `buffer` untouched, when either lacks them.
  package func copy(_ offset: UInt64, count: Int, into buffer: inout MutableRawSpan, at position: Int) -> Bool {
    guard count >= 0, count <= self.count, offset <= UInt64(self.count - count), position >= 0,
      position <= buffer.byteCount, count <= buffer.byteCount - position
    else { return false }
    return buffer.copy(bytes.extracting(Int(offset)..<Int(offset) + count), at: position)
  }

  /// The parts of `range` that are no holes of the file.
  package func written(_ range: Range<UInt64>) -> [Range<UInt64>] { holes?.written(range) ?? [range] }

  /// Gives the pages of `range` back to the system; they are read again on the next access.
  package func forget(_ range: Range<UInt64>) {
    let page = UInt64(4095)
    let start = (range.lowerBound + page) & ~page
    let end = min(range.upperBound, UInt64(count)) & ~page
    guard start < end else { return }
    unsafe madvise(UnsafeMutableRawPointer(mutating: base + Int(start)), Int(end - start), MADV_DONTNEED)
  }

  /// Gives `body` the address of the mapping, for a C library that reads it.
  ///
  /// The pointer is valid while the object lives.
  @unsafe
  package func withUnsafeAddress<R>(_ body: (UnsafeRawPointer) throws -> R) rethrows -> R {
    try unsafe body(base)
  }
}
