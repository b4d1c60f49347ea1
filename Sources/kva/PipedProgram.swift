import Glibc
import KernelVA

/// A program of the shell's that reads what kva writes.
struct PipedProgram: ~Copyable {
  /// Where to write.
  let input: Int32
  private let child: pid_t

  /// Starts `command` by sh(1).
  ///
  /// - Throws: `LocatedError` when no process can be started.
  init(_ command: String) throws(LocatedError) {
    var ends: [Int32] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else { throw Self.failure(command, errno) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO)
    // Signals are as any program expects them, whatever kva does with its own.
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGPIPE)
    unsafe sigaddset(&signals, SIGINT)
    unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
    var child: pid_t = 0
    let arguments = ["sh", "-c", command]
    var words: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
    let result = unsafe posix_spawn(&child, "/bin/sh", &actions, &attributes, &words, environ)
    for index in unsafe words.indices { unsafe free(words[index]) }
    unsafe posix_spawn_file_actions_destroy(&actions)
    unsafe posix_spawnattr_destroy(&attributes)
    close(ends[0])
    guard result == 0 else {
      close(ends[1])
      throw Self.failure(command, result)
    }
    input = ends[1]
    self.child = child
  }

  /// Ends its input and waits for it.
  consuming func finish() {
    close(input)
    var status: Int32 = 0
    while unsafe waitpid(child, &status, 0) < 0, errno == EINTR {}
  }

  private static func failure(_ command: String, _ code: Int32) -> LocatedError {
    let reason = unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    return LocatedError(file: command, kind: .system(code), "cannot be started: \(reason)")
  }
}

/// The pager that people have chosen.
enum Pager {
  /// What runs it. (LESS as git(1) sets it: colours as they are, and no paging of what fits the screen)
  static var command: String {
    let named = unsafe getenv("PAGER").map { unsafe String(cString: $0) } ?? ""
    return "LESS=\"${LESS-FRX}\" " + (named.isEmpty ? "less" : named)
  }
}
