import Bytes
import VMSA

/// The bytes of a dump, wherever they are: an enum, so that the formats need not be generic and reading a mapped file
/// costs one comparison.
enum DumpBytes: ByteSource {
  /// A file, mapped.
  case mapped(MappedFile)
  /// A file that cannot be mapped.
  case unmapped(UnmappedFile)
  /// A file that must not be mapped.
  case cached(CachedFile)
  /// A file inside a flattened one.
  case flattened(FlattenedFile)
  /// Several files, one after another.
  case files(FileSet)
  /// What is packed in a file.
  case packed(PackedFile)

  private var source: any ByteSource {
    switch self {
    case .mapped(let file): file
    case .unmapped(let file): file
    case .cached(let file): file
    case .flattened(let file): file
    case .files(let files): files
    case .packed(let file): file
    }
  }

  /// Shows `body` the first 512 bytes, or all if there are fewer, by which formats are recognised.
  func withHead<R>(_ body: (RawSpan) -> R) -> R? { withBytes(0..<min(byteCount, 512), body) }

  var path: String { source.path }
  var byteCount: UInt64 { source.byteCount }

  @inline(__always)
  func word(at offset: UInt64) -> UInt64? {
    if case .mapped(let file) = self { return file.word(at: offset) }
    return source.word(at: offset)
  }

  func copy(_ offset: UInt64, count: Int, into buffer: inout MutableRawSpan, at position: Int) -> Bool {
    source.copy(offset, count: count, into: &buffer, at: position)
  }

  @inline(__always)
  func withBytes<R>(_ range: Range<UInt64>, _ body: (RawSpan) -> R) -> R? {
    if case .mapped(let file) = self { return file.withBytes(range, body) }
    return source.withBytes(range, body)
  }

  func range(at offset: UInt64, count: UInt64) -> Range<UInt64>? { source.range(at: offset, count: count) }

  func forget(_ range: Range<UInt64>) { source.forget(range) }

  func written(_ range: Range<UInt64>) -> [Range<UInt64>] { source.written(range) }

  /// Why bytes that are there cannot be had.
  var failure: Absence {
    if case .packed = self { return .damaged }
    return .unreadable
  }

  /// Whether what is in no part of `written` is zeros: of a file that is cut short nobody knows what it was.
  var readsUnwrittenAsZeros: Bool {
    if case .flattened(let file) = self { return !file.isCutShort }
    return true
  }

  @inline(__always)
  func integer<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type = T.self, at offset: UInt64) -> T? {
    if case .mapped(let file) = self { return file.integer(type, at: offset) }
    return withBytes(offset..<(offset > .max - 8 ? offset : offset + UInt64(MemoryLayout<T>.size))) {
      $0.integer(T.self, at: 0)
    } ?? nil
  }
}
