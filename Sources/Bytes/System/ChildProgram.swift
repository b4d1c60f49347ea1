import Glibc

/// A program that runs beside kva, with a pipe to what it reads or from what it prints.
///
/// Signals are as any program expects them, whatever kva does with its own. Whoever starts one calls `finish`.
///
/// Safety: all that posix_spawn(3) gets lies in variables of `start` for as long as it runs. What its preparations
/// hold is given back on the one way out, as are the words, which end with NUL, in an array that ends with nil. The
/// environment is read in place: kva never changes it. A descriptor is closed once: the child's end in `init`, kva's
/// by `finish`, which takes the value away, so that none is used that may by then be another file.
package struct ChildProgram: ~Copyable {
  /// Which way the pipe leads.
  package enum Direction {
    /// To its standard input.
    case input
    /// From its standard output; its standard input is empty.
    case output
  }

  /// Why none was started.
  package struct Failure: Error {
    /// `errno`.
    package let code: Int32
  }

  /// kva's end of the pipe.
  package let pipe: Int32
  private let child: pid_t

  /// Starts `program`, looked up in PATH where its name has no slash.
  ///
  /// - Parameter arguments: the first is what it takes to be its own name.
  package init(_ program: String, _ arguments: [String], pipe direction: Direction) throws(Failure) {
    var ends: [Int32] = [-1, -1]
    guard unsafe Glibc.pipe(&ends) == 0 else { throw Failure(code: errno) }
    // Neither end goes to any child but as a standard one.
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

  /// Closes the pipe and waits for its end; 0 if it says that all went well (wait(2)).
  @discardableResult
  package consuming func finish() -> Int32 {
    close(pipe)
    var status: Int32 = 0
    while unsafe waitpid(child, &status, 0) < 0, errno == EINTR {}
    return status
  }
}
