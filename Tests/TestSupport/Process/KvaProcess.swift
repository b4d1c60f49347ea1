import Foundation

/// What a process left behind.
public struct ProcessResult: Sendable {
  /// Its exit status; 128 and the signal's number where a signal ended it.
  public var status: Int32
  /// What it wrote to standard output.
  public var output: Data
  /// What it wrote to standard error.
  public var standardError: String

  /// Standard output as text.
  public var text: String { String(decoding: output, as: UTF8.self) }
  /// The lines of standard output.
  public var lines: [String] { text.split(separator: "\n").map(String.init) }
  /// The lines of standard error.
  public var errorLines: [String] { standardError.split(separator: "\n").map(String.init) }

  /// The JSON object on each line of standard output.
  public func objects() throws -> [[String: Any]] { try lines.map(parseObject) }
  /// The only JSON object of standard output.
  public func object() throws -> [String: Any] {
    let all = try objects()
    guard let first = all.first, all.count == 1 else {
      throw TestSupportError("not one JSON object: \(text)")
    }
    return first
  }
}

/// The JSON object in `line`.
public func parseObject(_ line: String) throws -> [String: Any] {
  guard let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else {
    throw TestSupportError("not a JSON object: \(line)")
  }
  return object
}

/// The built command as a process.
public enum Kva {
  /// Runs `kva` with `arguments` to its end.
  ///
  /// - Parameters:
  ///   - input: its standard input; empty if not given.
  ///   - limit: seconds after which it is ended and an error is thrown.
  ///   - output: a file to write its standard output to instead of keeping it.
  ///   - memory: KiB of memory of its own that it may have; no limit if nil.
  public static func run(
    _ arguments: [String], input: String = "", limit: Double = 400, output: String? = nil, memory: Int? = nil
  ) throws -> ProcessResult {
    let words = memory.map { ["-c", "ulimit -d \($0); exec \"$0\" \"$@\"", path] } ?? []
    return try ChildProcess.run(
      memory == nil ? path : "/bin/sh", words + arguments, input: Data(input.utf8), output: output, limit: limit)
  }

  /// Runs `kva` with bytes that need not be text as its standard input.
  public static func run(_ arguments: [String], input: [UInt8], limit: Double = 400) throws -> ProcessResult {
    try ChildProcess.run(path, arguments, input: Data(input), limit: limit)
  }

  /// The built binary.
  public static let path = Checkout.products.appendingPathComponent("kva").path
}

/// A script of bash.
public enum Program {
  /// Runs `script` with `arguments` as $1 and so on.
  public static func run(_ script: String, _ arguments: [String], limit: Double = 400) throws -> ProcessResult {
    try ChildProcess.run("/usr/bin/env", ["bash", "-c", script, "bash"] + arguments, limit: limit)
  }
}

/// A process that is not the test's own.
enum ChildProcess {
  /// Held while a process starts, so that none inherits a pipe that is not yet marked FD_CLOEXEC.
  static let starting = NSLock()

  /// Runs `path` to its end. Input and output are files, so that neither side can wait for the other, and
  /// no process inherits the end of another's pipe.
  static func run(
    _ path: String, _ arguments: [String], input: Data = Data(), output: String? = nil, limit: Double = 300
  ) throws -> ProcessResult {
    try Scratch.withFolder { folder in
      var names = ["in", "out", "err"].map { folder.appendingPathComponent($0).path }
      if let output { names[1] = output }
      try input.write(to: URL(fileURLWithPath: names[0]))
      let modes = [O_RDONLY, O_WRONLY | O_CREAT, O_WRONLY | O_CREAT]
      let files = zip(names, modes).map { open($0, $1 | O_CLOEXEC, 0o600) }
      defer { for file in files { close(file) } }
      guard !files.contains(-1) else { throw TestSupportError("cannot make files for \(path)") }
      let child = try spawn(path, arguments, files)
      let status = try wait(child, limit: limit, what: "\(path) \(arguments)")
      return ProcessResult(
        status: status, output: output == nil ? try Data(contentsOf: URL(fileURLWithPath: names[1])) : Data(),
        standardError: String(decoding: try Data(contentsOf: URL(fileURLWithPath: names[2])), as: UTF8.self))
    }
  }

  /// Starts `path` with `files` as its descriptors 0, 1 and 2.
  static func spawn(_ path: String, _ arguments: [String], _ files: [Int32]) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (target, file) in files.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, file, Int32(target))
    }
    let words = ([path] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var child: pid_t = 0
    let failure = starting.withLock { posix_spawn(&child, path, &actions, nil, words, environ) }
    guard failure == 0 else {
      throw TestSupportError("cannot start \(path): \(String(cString: strerror(failure)))")
    }
    return child
  }

  /// Waits for `child`, and ends it after `limit` seconds.
  static func wait(_ child: pid_t, limit: Double, what: String) throws -> Int32 {
    let end = Date(timeIntervalSinceNow: limit)
    var status: Int32 = 0
    while true {
      let ended = waitpid(child, &status, WNOHANG)
      guard ended >= 0 else { throw TestSupportError("cannot wait for \(what)") }
      if ended == child {
        let signal = status & 0x7f
        return signal == 0 ? status >> 8 & 0xff : 128 + signal
      }
      if Date() > end {
        kill(child, SIGKILL)
        waitpid(child, &status, 0)
        throw TestSupportError("not ended after \(limit) s: \(what)")
      }
      usleep(1000)
    }
  }
}

/// `kva` kept open, asked line by line.
public final class KvaSession {
  private let child: pid_t
  private let input: Int32
  private let output: Int32
  private var buffer: [UInt8] = []
  private var isFinished = false

  /// Starts `kva` with `arguments`; its standard error goes to the file `errors`.
  public init(_ arguments: [String], errors: String = "/dev/null") throws {
    var toChild: [Int32] = [0, 0]
    var fromChild: [Int32] = [0, 0]
    let isOpen = ChildProcess.starting.withLock {
      guard pipe(&toChild) == 0, pipe(&fromChild) == 0 else { return false }
      for end in toChild + fromChild { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      return true
    }
    guard isOpen else { throw TestSupportError("cannot make pipes") }
    input = toChild[1]
    output = fromChild[0]
    let nothing = open(errors, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    defer {
      close(toChild[0])
      close(fromChild[1])
      close(nothing)
    }
    child = try ChildProcess.spawn(Kva.path, arguments, [toChild[0], fromChild[1], nothing])
  }

  deinit { if !isFinished { _ = try? finish() } }

  /// Writes `text` as it is.
  public func send(_ text: String) throws {
    let bytes = Array(text.utf8)
    guard write(input, bytes, bytes.count) == bytes.count else {
      throw TestSupportError("kva takes no input")
    }
  }

  /// The next line of the answer, without its end.
  ///
  /// - Throws: when none comes within `limit` seconds.
  public func line(limit: Double = 30) throws -> String {
    let end = Date(timeIntervalSinceNow: limit)
    while true {
      if let newline = buffer.firstIndex(of: UInt8(ascii: "\n")) {
        defer { buffer.removeFirst(newline + 1) }
        return String(decoding: buffer[..<newline], as: UTF8.self)
      }
      var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
      let left = Int32(max(0, end.timeIntervalSinceNow * 1000))
      guard poll(&waiting, 1, left) == 1 else { throw TestSupportError("no answer within \(limit) s") }
      var chunk = [UInt8](repeating: 0, count: 4096)
      let count = read(output, &chunk, chunk.count)
      guard count > 0 else { throw TestSupportError("kva ended without an answer") }
      buffer += chunk[..<count]
    }
  }

  /// Kills it: a server does not end with its input.
  public func stop() {
    kill(child, SIGKILL)
    _ = try? finish()
  }

  /// Ends its input and waits: the exit status.
  public func finish() throws -> Int32 {
    isFinished = true
    close(input)
    defer { close(output) }
    return try ChildProcess.wait(child, limit: 30, what: "kva")
  }
}
