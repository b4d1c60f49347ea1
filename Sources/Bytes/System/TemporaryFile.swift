import Glibc

/// A file without a name, for what is too large for memory: it goes away with this value and the last mapping of it,
/// however the process ends.
///
/// Safety: mkstemp changes only the last letters of the array that it is given, which ends with NUL. The descriptor is
/// opened once, closed once, and this type cannot be copied.
package struct TemporaryFile: ~Copyable {
  private let descriptor: Int32
  private let folder: String

  /// Creates an empty file in the folder that TMPDIR names, else in `/var/tmp`, which is not in memory, as `/tmp` may
  /// be.
  ///
  /// - Throws: `LocatedError` when that cannot be written to.
  package init() throws(LocatedError) {
    let named = SystemCall.environment("TMPDIR") ?? ""
    folder = named.isEmpty ? "/var/tmp" : named
    var name = "\(folder)/kva.XXXXXX".utf8.map { CChar(bitPattern: $0) } + [0]
    descriptor = unsafe mkstemp(&name)
    guard descriptor >= 0 else { throw Self.failure(folder) }
    unsafe unlink(&name)
    // Child processes must not inherit it.
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  }

  deinit { close(descriptor) }

  /// A path that reopens it while this value lives.
  package var path: String { "/proc/self/fd/\(descriptor)" }

  /// Writes `bytes` at `offset`.
  ///
  /// - Throws: `LocatedError` when there is no room.
  package func write(_ bytes: RawSpan, at offset: UInt64) throws(LocatedError) {
    if let code = SystemCall.write(bytes, to: descriptor, at: offset) { throw Self.failure(folder, code) }
  }

  private static func failure(_ folder: String, _ code: Int32 = errno) -> LocatedError {
    LocatedError(
      file: folder, kind: .system(code),
      "cannot write a temporary file: \(SystemCall.reason(code)); name a folder with room in TMPDIR")
  }
}
