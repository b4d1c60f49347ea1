import Glibc

/// Reading and writing open files.
///
/// Safety: read(2), write(2), pwrite(2), poll(2) and open(2) get the memory of an array, a span or a variable with its
/// true length; it outlives the call, and they keep no pointer to it.
extension SystemCall {
  /// Whether there is a file, of any kind but a directory, at `path`.
  package static func isFile(_ path: String) -> Bool {
    var status = stat()
    return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFDIR
  }

  /// Writes all of `bytes`, however many calls that takes.
  ///
  /// - Parameter isGivenUp: called after a signal; whether to abandon the rest.
  /// - Returns: `errno` if they could not all be written; nil otherwise.
  package static func write(_ bytes: RawSpan, to file: Int32, unless isGivenUp: () -> Bool = { false }) -> Int32? {
    var start = 0
    while start < bytes.byteCount {
      let rest = bytes.extracting(start...)
      let written = unsafe rest.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
      if written > 0 {
        start += written
      } else if written < 0, errno != EINTR || isGivenUp() {
        return errno
      }
    }
    return nil
  }

  /// Writes all of `bytes` at `offset` of a file.
  ///
  /// - Returns: `errno` if they could not all be written; nil otherwise.
  package static func write(_ bytes: RawSpan, to file: Int32, at offset: UInt64) -> Int32? {
    guard let start = Int(exactly: offset) else { return EFBIG }
    var done = 0
    while done < bytes.byteCount {
      let rest = bytes.extracting(done...)
      let written = unsafe rest.withUnsafeBytes { unsafe pwrite(file, $0.baseAddress, $0.count, start + done) }
      if written > 0 {
        done += written
      } else if written == 0 {
        return EIO
      } else if errno != EINTR {
        return errno
      }
    }
    return nil
  }

  /// Reads once, at most `count` bytes, and appends them to `bytes`.
  ///
  /// - Returns: how many were read: 0 at the end of the file or on error.
  package static func read(_ count: Int, from file: Int32, to bytes: inout [UInt8]) -> Int {
    let old = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: count))
    var got = 0
    repeat {
      got = bytes.withMutableRawSpan { span in
        unsafe span.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress?.advanced(by: old), count) }
      }
    } while got < 0 && errno == EINTR
    bytes.removeLast(count - max(0, got))
    return max(0, got)
  }

  /// The first `limit` bytes of the file at `path`; nil if it cannot be read.
  package static func text(of path: String, limit: Int) -> String? {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    while bytes.count < limit, read(limit - bytes.count, from: file, to: &bytes) > 0 {}
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Whether `read` would return at once; waits at most `milliseconds` for that, or until a signal.
  package static func isReadable(_ file: Int32, within milliseconds: Int32) -> Bool {
    var waiting = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&waiting, 1, milliseconds) > 0
  }

  /// Opens `path` for writing, truncated or for appending; creates it if it does not exist.
  ///
  /// - Throws: `LocatedError` when it cannot be written.
  package static func create(_ path: String, appends: Bool) throws(LocatedError) -> Int32 {
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (appends ? O_APPEND : O_TRUNC), 0o666)
    guard file >= 0 else { throw unwritable(path, errno) }
    return file
  }

  /// The error for a file at `path` that cannot be written, from the `errno` value `code`.
  package static func unwritable(_ path: String, _ code: Int32) -> LocatedError {
    LocatedError(file: path, kind: .system(code), "cannot be written: \(reason(code))")
  }
}
