import Glibc

/// A regular file mapped read-only: opening costs the same for a terabyte as for a page, and only the
/// pages that are looked at are read.
///
/// The mapping lives as long as the object. It may be read from any number of threads.
@safe
public final class MappedFile: @unchecked Sendable {
  /// The path as given, for messages.
  public let path: String
  /// The size in bytes when the file was opened; never zero.
  public let count: Int
  @usableFromInline let base: UnsafeRawPointer

  /// Maps `path`.
  ///
  /// - Throws: `LocatedError` when it does not exist, may not be read, is a directory, a pipe or a device,
  ///   or is empty.
  public init(path: String) throws(LocatedError) {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.systemError(path, "cannot open") }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw Self.systemError(path, "cannot examine") }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR:
      throw LocatedError(file: path, kind: .unsupported, "is a directory; name the dump file in it")
    default:
      throw LocatedError(file: path, kind: .unsupported, "is not a regular file; copy the dump to one first")
    }
    guard status.st_size > 0 else {
      throw LocatedError(file: path, kind: .truncated, "is empty; the dump was not written")
    }
    let size = Int(status.st_size)
    guard let mapping = unsafe mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0),
      unsafe mapping != MAP_FAILED
    else { throw Self.systemError(path, "cannot map") }
    self.path = path
    count = size
    unsafe base = UnsafeRawPointer(mapping)
  }

  deinit {
    unsafe munmap(UnsafeMutableRawPointer(mutating: base), count)
  }

  /// The whole file.
  @inlinable
  public var bytes: RawSpan {
    @_lifetime(borrow self)
    get { unsafe _overrideLifetime(RawSpan(_unsafeStart: base, byteCount: count), borrowing: self) }
  }

  /// The little-endian 64-bit word at `offset`, which the caller has checked: `offset + 8 <= count`.
  @inlinable @inline(__always)
  package func uncheckedWord(at offset: Int) -> UInt64 {
    unsafe UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  /// The little-endian integer at `offset`, or nil when the file ends before it does.
  @inlinable @inline(__always)
  public func integer<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type = T.self, at offset: UInt64) -> T? {
    let size = MemoryLayout<T>.size
    guard count >= size, offset <= UInt64(count &- size) else { return nil }
    return unsafe T(
      littleEndian: base.loadUnaligned(fromByteOffset: Int(truncatingIfNeeded: offset), as: T.self))
  }

  /// Shows `body` the bytes of `range`, cut at the end of the file; nil when it begins beyond.
  public func withBytes<R>(_ range: Range<UInt64>, _ body: (RawSpan) -> R) -> R? {
    guard range.lowerBound <= UInt64(count) else { return nil }
    let end = min(range.upperBound, UInt64(count))
    return body(bytes.extracting(Int(range.lowerBound)..<Int(end)))
  }

  /// Copies `count` bytes from `offset` to `position` of `buffer`.
  ///
  /// - Returns: false, with `buffer` untouched, when either lacks them.
  public func copy(_ offset: UInt64, count: Int, into buffer: inout MutableRawSpan, at position: Int) -> Bool {
    guard count >= 0, count <= self.count, offset <= UInt64(self.count - count), position >= 0,
      position <= buffer.byteCount, count <= buffer.byteCount - position
    else { return false }
    unsafe buffer.withUnsafeMutableBytes { target in
      let source = unsafe UnsafeRawBufferPointer(start: base + Int(offset), count: count)
      unsafe UnsafeMutableRawBufferPointer(rebasing: target[position..<(position + count)]).copyMemory(
        from: source)
    }
    return true
  }

  /// Gives `body` the address of the mapping, for a C library that reads it.
  ///
  /// The pointer is good while the object lives.
  @unsafe
  public func withUnsafeAddress<R>(_ body: (UnsafeRawPointer) throws -> R) rethrows -> R {
    try unsafe body(base)
  }

  /// A `LocatedError` for the system call that just failed.
  private static func systemError(_ path: String, _ what: String) -> LocatedError {
    let code = errno
    let reason = unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    return LocatedError(file: path, kind: .system(code), "\(what): \(reason)")
  }
}
