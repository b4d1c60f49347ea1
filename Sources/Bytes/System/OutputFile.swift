import Glibc

/// A file that is written whole or not at all: it has no name until it is finished, so nothing is left behind however
/// the process ends.
///
/// Safety: open(2), linkat(2), rename(2) and unlink(2) get NUL-terminated paths that outlive the call. The descriptor
/// is opened once, closed once, and this type cannot be copied.
package struct OutputFile: ~Copyable {
  private let descriptor: Int32
  private let path: String
  private let temporary: String
  /// Whether the file has a temporary name, because the file system has no O_TMPFILE.
  private let isNamed: Bool
  private var isFinished = false

  /// `O_TMPFILE`, which Swift does not import. (include/uapi/asm-generic/fcntl.h)
  private static let withoutName: Int32 = 0o20_000_000 | O_DIRECTORY

  /// Prepares to write `path`.
  ///
  /// - Throws: `LocatedError` when its folder cannot be written to.
  package init(_ path: String) throws(LocatedError) {
    self.path = path
    let (folder, name) = Directory.split(path)
    temporary = "\(folder)/.\(name).\(getpid())"
    var file = unsafe open(folder, Self.withoutName | O_WRONLY | O_CLOEXEC, 0o666)
    if file < 0, errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL {
      file = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      isNamed = file >= 0
    } else {
      isNamed = false
    }
    guard file >= 0 else { throw SystemCall.unwritable(path, errno) }
    descriptor = file
  }

  deinit {
    if isNamed, !isFinished { _ = unsafe unlink(temporary) }
    close(descriptor)
  }

  /// Writes `bytes` at `offset`; what is never written is a hole.
  ///
  /// - Throws: `LocatedError` when there is no room.
  package func write(_ bytes: RawSpan, at offset: UInt64) throws(LocatedError) {
    if let code = SystemCall.write(bytes, to: descriptor, at: offset) { throw SystemCall.unwritable(path, code) }
  }

  /// Gives the file its size and its name, replacing any file of that name.
  ///
  /// - Throws: `LocatedError` when that fails; then there is no such file.
  package mutating func finish(size: UInt64) throws(LocatedError) {
    guard ftruncate(descriptor, Int(size)) == 0 else { throw SystemCall.unwritable(path, errno) }
    if !isNamed {
      let link = "/proc/self/fd/\(descriptor)"
      guard unsafe linkat(AT_FDCWD, link, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) == 0 else {
        throw SystemCall.unwritable(path, errno)
      }
    }
    guard unsafe rename(temporary, path) == 0 else {
      let code = errno
      _ = unsafe unlink(temporary)
      throw SystemCall.unwritable(path, code)
    }
    isFinished = true
  }
}
