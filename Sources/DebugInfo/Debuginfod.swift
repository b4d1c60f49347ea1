import Bytes
import Glibc

/// Fetches debuginfo files from the servers that `DEBUGINFOD_URLS` names.
///
/// This is left to `debuginfod-find` of elfutils, which keeps what it has fetched; it says on standard error
/// how it goes, where `DEBUGINFOD_PROGRESS` asks for that.
public struct Debuginfod: Sendable {
  /// The program that fetches, looked up in PATH.
  public let program: String

  /// Uses `program` instead of debuginfod-find.
  public init(program: String = "debuginfod-find") { self.program = program }

  /// Whether `DEBUGINFOD_URLS` names a server.
  public static var hasServers: Bool {
    guard let value = unsafe getenv("DEBUGINFOD_URLS") else { return false }
    return unsafe value.pointee != 0
  }

  /// Fetches the debuginfo file of `buildID`.
  ///
  /// - Returns: its path in the user's cache.
  /// - Throws: `LocatedError` that says what to do, when no server is named, the program is not there, or it
  ///   does not give the file.
  public func fetch(buildID: String) throws(LocatedError) -> String {
    guard Self.hasServers else {
      throw LocatedError(
        file: program, kind: .missing, "DEBUGINFOD_URLS is not set, so there is no server to ask for debuginfo")
    }
    guard DebugFileFinder.isBuildID(buildID) else {
      throw LocatedError(file: program, kind: .malformed, "'\(buildID)' is not a build-ID")
    }
    let (output, status) = try run([program, "debuginfo", buildID])
    let path = String(decoding: output.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    guard status == 0, path.hasPrefix("/") else {
      throw LocatedError(file: program, kind: .missing, "no server of DEBUGINFOD_URLS has debuginfo of \(buildID)")
    }
    return path
  }

  /// Runs a program without standard input; what it prints, up to a limit, and how it ended.
  private func run(_ words: [String]) throws(LocatedError) -> (output: [UInt8], status: Int32) {
    var ends: [Int32] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else {
      throw LocatedError(file: program, kind: .system(errno), "cannot be run: no pipe to read its answer from")
    }
    var arguments: [UnsafeMutablePointer<CChar>?] = unsafe words.map { unsafe strdup($0) } + [nil]
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    // Standard input is the user's queries.
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    for end in ends where end > 2 { unsafe posix_spawn_file_actions_addclose(&actions, end) }
    var child: pid_t = 0
    let failure = unsafe posix_spawnp(&child, program, &actions, nil, &arguments, environ)
    unsafe posix_spawn_file_actions_destroy(&actions)
    for index in unsafe arguments.indices { unsafe free(arguments[index]) }
    close(ends[1])
    defer { close(ends[0]) }
    guard failure == 0 else {
      let what =
        failure == ENOENT ? "is not installed (Debian's package debuginfod has it)" : "cannot be run, error \(failure)"
      throw LocatedError(file: program, kind: .system(failure), what)
    }
    var output: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = unsafe read(ends[0], &part, part.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      // What is too much is read all the same, so that the program can end.
      if output.count < Limits.programOutput { output += part[..<count] }
    }
    var status: Int32 = 0
    while unsafe waitpid(child, &status, 0) < 0, errno == EINTR {}
    return (output, status)
  }
}
