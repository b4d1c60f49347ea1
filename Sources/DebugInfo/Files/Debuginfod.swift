import Bytes
import Glibc

/// Fetches debuginfo files from the servers that `DEBUGINFOD_URLS` names.
///
/// This is left to `debuginfod-find` of elfutils, which caches what it has fetched, and reports progress on standard
/// error if `DEBUGINFOD_PROGRESS` is set.
public struct Debuginfod: Sendable {
  /// The program that fetches, looked up in PATH.
  package let program: String

  /// Uses `program` instead of debuginfod-find.
  public init(program: String = "debuginfod-find") { self.program = program }

  /// Whether `DEBUGINFOD_URLS` names a server.
  package static var hasServers: Bool {
    SystemCall.environment("DEBUGINFOD_URLS").map { !$0.isEmpty } ?? false
  }

  /// Fetches the debuginfo file of `buildID`.
  ///
  /// - Returns: its path in the user's cache.
  /// - Throws: `LocatedError` that says what to do, if no server is named, the program is not installed, or it does not
  ///   provide the file.
  package func fetch(buildID: String) throws(LocatedError) -> String {
    guard Self.hasServers else {
      throw LocatedError(
        file: program, kind: .missing, "DEBUGINFOD_URLS is not set, so there is no server to ask for debuginfo")
    }
    guard DebugFileFinder.isBuildID(buildID) else {
      throw LocatedError(file: program, kind: .malformed, "'\(buildID)' is not a build-ID")
    }
    let (output, status) = try run(["debuginfo", buildID])
    let path = String(decoding: output.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    guard status == 0, path.hasPrefix("/") else {
      throw LocatedError(file: program, kind: .missing, "no server of DEBUGINFOD_URLS has debuginfo of \(buildID)")
    }
    return path
  }

  /// Runs the program without standard input; returns its output, up to a limit, and its exit status.
  private func run(_ arguments: [String]) throws(LocatedError) -> (output: [UInt8], status: Int32) {
    let child: ChildProgram
    do throws(ChildProgram.Failure) {
      child = try ChildProgram(program, [program] + arguments, pipe: .output)
    } catch {
      let what =
        error.code == ENOENT
        ? "is not installed (Debian's package debuginfod has it)" : "cannot be run: \(SystemCall.reason(error.code))"
      throw LocatedError(file: program, kind: .system(error.code), what)
    }
    var output: [UInt8] = []
    var part: [UInt8] = []
    while SystemCall.read(4096, from: child.pipe, to: &part) > 0 {
      // Excess output is still read, so that the program can finish.
      if output.count < Limits.programOutput { output += part }
      part.removeAll(keepingCapacity: true)
    }
    return (output, child.finish())
  }
}
