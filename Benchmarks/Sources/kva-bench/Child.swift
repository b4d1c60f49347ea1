import Foundation

/// A program that was run to its end.
struct Child {
  /// What it printed.
  var output: Data
  /// Its exit status; -1 where a signal ended it.
  var status: Int32
  /// From start to end.
  var seconds: Double
  /// The most memory that it had at once (ru_maxrss).
  var peakKiB: Int

  /// Where the programs are that were built beside this one.
  static let products = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    .path

  /// Runs `path` and waits. Standard error goes nowhere; standard output goes to `file`, where one is named.
  static func run(_ path: String, _ arguments: [String], input: String? = nil, output file: String? = nil) throws
    -> Child
  {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let captured = file ?? NSTemporaryDirectory() + "/kva-bench.\(getpid()).out"
    let figures = NSTemporaryDirectory() + "/kva-bench.\(getpid()).usage"
    defer {
      if file == nil { unlink(captured) }
      unlink(figures)
    }
    posix_spawn_file_actions_addopen(&actions, 0, input ?? "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, captured, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    let launch = products + "/launch"
    var argv = ([launch, figures, path] + arguments).map { strdup($0) } + [nil]
    defer { for argument in argv { free(argument) } }
    var pid: pid_t = 0
    guard posix_spawn(&pid, launch, &actions, nil, &argv, environ) == 0 else {
      throw BenchError("cannot run \(launch)")
    }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    let fields = (try? String(contentsOfFile: figures, encoding: .utf8))?.split(whereSeparator: \.isWhitespace) ?? []
    guard fields.count == 3, let seconds = Double(fields[0]), let peak = Int(fields[1]), let code = Int32(fields[2])
    else {
      throw BenchError("cannot run \(path)")
    }
    return Child(
      output: file == nil ? FileManager.default.contents(atPath: captured) ?? Data() : Data(), status: code,
      seconds: seconds, peakKiB: peak)
  }

  /// Runs it `rounds` times; the fastest time and the most memory.
  static func best(of rounds: Int, _ path: String, _ arguments: [String]) throws -> Child? {
    var best: Child?
    for _ in 0..<rounds {
      let child = try run(path, arguments)
      guard child.status == 0 else { return nil }
      let before = best ?? child
      best = before.seconds < child.seconds ? before : child
      best?.peakKiB = max(before.peakKiB, child.peakKiB)
    }
    return best
  }
}
