import Glibc

/// A child process with a pipe to its standard input or from its standard output.
///
/// It starts with default signal handling, whatever kva does with signals itself. The caller must call `finish`.
///
/// Safety: everything passed to posix_spawn(3) lives in variables of `start` until it returns. File actions and
/// attributes are freed on the single way out, as are the arguments, NUL-terminated strings in an array that ends with
/// nil. The environment is read in place: kva never changes it. A descriptor is closed once: the child's end in `init`,
/// kva's by `finish`, which consumes the value, so that no descriptor is used that may by then be another file.
package struct ChildProgram: ~Copyable {
  /// The direction of the pipe.
  package enum Direction {
    /// To its standard input.
    case input
    /// From its standard output; its standard input is empty.
    case output
  }

  /// Why it could not be started.
  package struct Failure: Error {
    /// `errno`.
    package let code: Int32
  }

  /// kva's end of the pipe.
  package let pipe: Int32
  private let child: pid_t

  /// Starts `program`, looked up in PATH if its name has no slash.
  ///
  /// - Parameter arguments: the first is what it takes to be its own name.
  package init(_ program: String, _ arguments: [String], pipe direction: Direction) throws(Failure) {
    var ends: [Int32] = [-1, -1]
    guard unsafe Glibc.pipe(&ends) == 0 else { throw Failure(code: errno) }
    // A child inherits an end only as its standard input or output.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let (its, ours) = direction == .input ? (ends[0], ends[1]) : (ends[1], ends[0])
    defer { close(its) }
    do throws(Failure) {
      child = try Self.start(program, arguments, its, direction)
    } catch {
      close(ours)
      throw error
    }
    pipe = ours
  }

  private static func start(
    _ program: String, _ arguments: [String], _ end: Int32, _ direction: Direction
  ) throws(Failure) -> pid_t {
    var files = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&files)
    if direction == .output { unsafe posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0) }
    unsafe posix_spawn_file_actions_adddup2(&files, end, direction == .input ? STDIN_FILENO : STDOUT_FILENO)
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGPIPE)
    unsafe sigaddset(&signals, SIGINT)
    unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
    var words: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
    var child: pid_t = 0
    let code = unsafe posix_spawnp(&child, program, &files, &attributes, &words, environ)
    for index in unsafe words.indices { unsafe free(words[index]) }
    unsafe posix_spawnattr_destroy(&attributes)
    unsafe posix_spawn_file_actions_destroy(&files)
    guard code == 0 else { throw Failure(code: code) }
    return child
  }

  /// Closes the pipe and waits for the child to exit; returns its wait status, 0 on success (wait(2)).
  @discardableResult
  package consuming func finish() -> Int32 {
    close(pipe)
    var status: Int32 = 0
    while unsafe waitpid(child, &status, 0) < 0, errno == EINTR {}
    return status
  }
}
