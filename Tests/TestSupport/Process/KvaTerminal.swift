import Foundation

/// `kva` on a terminal of its own, as a person has it.
public final class KvaTerminal {
  private let child: pid_t
  private let master: Int32
  /// What it has written so far and was not waited for.
  public private(set) var text = ""
  private var isFinished = false

  /// Starts `kva` with `arguments` as the leader of a session whose terminal this is.
  ///
  /// - Parameters:
  ///   - width: its width in columns; if nil, it does not know.
  ///   - folder: where kva is started; if nil, where the tests are.
  public init(
    _ arguments: [String], environment: [String: String] = [:], width: UInt16? = nil, folder: String? = nil
  ) throws {
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
    var lock: Int32 = 0
    var number: UInt32 = 0
    // TIOCSPTLCK and TIOCGPTN: unlockpt(3) and ptsname(3), which Glibc's module does not have.
    guard master >= 0, ioctl(master, 0x4004_5431, &lock) == 0, ioctl(master, 0x8004_5430, &number) == 0 else {
      throw TestSupportError("no pseudo-terminal")
    }
    if let width {
      var size = winsize(ws_row: 50, ws_col: width, ws_xpixel: 0, ws_ypixel: 0)
      guard ioctl(master, UInt(TIOCSWINSZ), &size) == 0 else { throw TestSupportError("a terminal without a size") }
    }
    let name = "/dev/pts/\(number)"
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // The first terminal that the leader of a session opens is its controlling one.
    posix_spawn_file_actions_addopen(&actions, 0, name, O_RDWR, 0)
    posix_spawn_file_actions_adddup2(&actions, 0, 1)
    posix_spawn_file_actions_adddup2(&actions, 0, 2)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var defaults = sigset_t()
    sigemptyset(&defaults)
    sigaddset(&defaults, SIGINT)
    sigaddset(&defaults, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    // The threads that run tests block signals, and a child inherits that.
    var blocked = sigset_t()
    sigemptyset(&blocked)
    posix_spawnattr_setsigmask(&attributes, &blocked)
    // 0x80 is POSIX_SPAWN_SETSID.
    posix_spawnattr_setflags(&attributes, Int16(0x80 | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
    var variables = ProcessInfo.processInfo.environment
    variables["TERM"] = "xterm"
    variables["NO_COLOR"] = nil
    variables["PAGER"] = nil
    variables["KVA_PAGER"] = nil
    variables["COLUMNS"] = nil
    variables["KVA_HISTORY"] = ""
    variables.merge(environment) { $1 }
    // Glibc's module lacks posix_spawn_file_actions_addchdir_np(3).
    let path = folder == nil ? Kva.path : "/bin/sh"
    let change = folder.map { [path, "-c", "cd \"$0\" && exec \"$@\"", $0] } ?? []
    let words = (change + [Kva.path] + arguments).map { strdup($0) } + [nil]
    let settings = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for word in words + settings { free(word) } }
    var child: pid_t = 0
    let failure = ChildProcess.starting.withLock {
      posix_spawn(&child, path, &actions, &attributes, words, settings)
    }
    guard failure == 0 else { throw TestSupportError("cannot start kva on a terminal") }
    self.child = child
  }

  deinit {
    if !isFinished {
      kill(child, SIGKILL)
      var status: Int32 = 0
      waitpid(child, &status, 0)
    }
    close(master)
  }

  /// Types `keys`.
  public func type(_ keys: String) throws {
    let bytes = Array(keys.utf8)
    guard write(master, bytes, bytes.count) == bytes.count else {
      throw TestSupportError("the terminal takes no input")
    }
  }

  /// Waits until it has written `wanted`, and returns what it wrote up to there.
  public func wait(for wanted: String, limit: Double = 60) throws -> String {
    let end = Date(timeIntervalSinceNow: limit)
    while true {
      if let range = text.range(of: wanted) {
        defer { text.removeSubrange(..<range.upperBound) }
        return String(text[..<range.upperBound])
      }
      guard Date() < end, fill(end) else { throw TestSupportError("'\(wanted)' does not come: \(text)") }
    }
  }

  /// Waits for `prompt`, and until keys are taken one by one: libedit shows a prompt before it asks for that, and
  /// the terminal would edit the line itself.
  ///
  /// - Returns: what it wrote up to there.
  @discardableResult
  public func wait(forPrompt prompt: String, limit: Double = 60) throws -> String {
    let before = try wait(for: prompt, limit: limit)
    let end = Date(timeIntervalSinceNow: limit)
    var settings = termios()
    while tcgetattr(master, &settings) != 0 || settings.c_lflag & tcflag_t(ICANON) != 0 {
      guard Date() < end else { throw TestSupportError("no line is edited") }
      usleep(1000)
    }
    return before
  }

  /// Reads all that comes until it ends, and returns its exit status, 128 and the signal's number where one
  /// ended it.
  public func finish(limit: Double = 60) throws -> Int32 {
    let end = Date(timeIntervalSinceNow: limit)
    while fill(end) {}
    isFinished = true
    return try ChildProcess.wait(child, limit: max(1, end.timeIntervalSinceNow), what: "kva on a terminal")
  }

  /// Sends it a signal.
  public func signal(_ number: Int32) { kill(child, number) }

  /// Reads what is there; false at the end, and where nothing comes in time.
  private func fill(_ end: Date) -> Bool {
    var waiting = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
    guard poll(&waiting, 1, Int32(max(0, end.timeIntervalSinceNow * 1000))) == 1 else { return false }
    var chunk = [UInt8](repeating: 0, count: 4096)
    let count = read(master, &chunk, chunk.count)
    guard count > 0 else { return false }
    text += String(decoding: chunk[..<count], as: UTF8.self)
    return true
  }
}
