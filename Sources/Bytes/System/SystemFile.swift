import Glibc

/// Opening files for reading, and saying why one cannot be.
///
/// Safety: open(2) and fstat(2) get a NUL-terminated path and a local stat, which outlive the call.
enum SystemFile {
  /// Opens `path` and checks its file type.
  ///
  /// - Throws: `LocatedError` when it does not exist, may not be read, or is a directory, a pipe or a device.
  static func open(_ path: String) throws(LocatedError) -> (descriptor: Int32, status: stat) {
    // Without O_NONBLOCK, opening a FIFO that has no writer would block for ever.
    let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw error(path, "cannot open") }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
      let failure = error(path, "cannot examine")
      close(descriptor)
      throw failure
    }
    let kind = status.st_mode & S_IFMT
    guard kind == S_IFREG else {
      close(descriptor)
      let what =
        kind == S_IFDIR
        ? "is a directory; name the dump file in it"
        : "is not a regular file: a dump must be a file that can be sought; copy it to one"
      throw LocatedError(file: path, kind: .unsupported, what)
    }
    return (descriptor, status)
  }

  /// A `LocatedError` for the system call that just failed.
  static func error(_ path: String, _ what: String) -> LocatedError {
    let code = errno
    return LocatedError(file: path, kind: .system(code), "\(what): \(SystemCall.reason(code))")
  }
}
