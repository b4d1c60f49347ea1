import Glibc

/// A file without a name, for what is too large for memory: it is gone when this value and all mappings of it are,
/// however the process ends.
///
/// Safety: mkstemp changes only the last letters of the array that it is given, which ends with NUL. pwrite reads as many
/// bytes as the span has, while it lives. The descriptor is made once, closed once, and this type cannot be copied.
package struct TemporaryFile: ~Copyable {
  private let descriptor: Int32
  private let folder: String

  /// Makes an empty file in the folder that TMPDIR names, else in `/var/tmp`, which is no memory as `/tmp` may be.
  ///
  /// - Throws: `LocatedError` when that cannot be written to.
  package init() throws(LocatedError) {
    let named = SystemCall.environment("TMPDIR") ?? ""
    folder = named.isEmpty ? "/var/tmp" : named
    var name = "\(folder)/kva.XXXXXX".utf8.map { CChar(bitPattern: $0) } + [0]
    descriptor = unsafe mkstemp(&name)
    guard descriptor >= 0 else { throw Self.failure(folder) }
    unsafe unlink(&name)
    // No program that is run has anything to do with it.
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  }

  deinit { close(descriptor) }

  /// What opens it again, while this value lives.
  package var path: String { "/proc/self/fd/\(descriptor)" }

  /// Writes `bytes` at `offset`.
  ///
  /// - Throws: `LocatedError` when there is no room.
  package func write(_ bytes: RawSpan, at offset: UInt64) throws(LocatedError) {
    var done = 0
    while done < bytes.byteCount {
      let written = unsafe bytes.withUnsafeBytes { source in
        unsafe pwrite(descriptor, source.baseAddress.map { unsafe $0 + done }, source.count - done, Int(offset) + done)
      }
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { throw Self.failure(folder) }
      done += written
    }
  }

  private static func failure(_ folder: String) -> LocatedError {
    let code = errno
    return LocatedError(
      file: folder, kind: .system(code),
      "cannot write a temporary file: \(SystemCall.reason(code)); name a folder with room in TMPDIR")
  }
}
