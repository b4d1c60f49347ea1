import ArgumentParser
import Glibc
import KernelVA
import Synchronization

/// Runs commands entered line by line, on one session.
struct Shell {
  private let session: Session
  private let standardOutput: Output

  /// The words that a line may begin with.
  static var names: [String] {
    let commands = SessionCommands.all.flatMap { type in
      [type.configuration.commandName].compactMap(\.self) + type.configuration.aliases
    }
    return commands + CrashNames.all + ["help", "quit", "exit"]
  }

  init(_ session: Session) {
    self.session = session
    standardOutput = session.output
  }

  /// Runs one line: commands separated by `;` or, after `!`, a command for sh(1).
  ///
  /// - Returns: the exit status of the first that failed, the same as on the command line; nil if one ends the shell.
  func run(_ text: String) -> Int32? {
    var worst: Int32 = 0
    for command in ShellLine.commands(text) {
      guard let status = run(command: command) else { return nil }
      if worst == 0 { worst = status }
      if Interrupt.isPending { break }
    }
    return worst
  }

  private func run(command text: Substring) -> Int32? {
    let text = text.drop { $0 == " " || $0 == "\t" }
    if text.hasPrefix("!") { return runProgram(String(text.dropFirst())) }
    do {
      let line = try ShellLine(text)
      guard let first = line.words.first else { return 0 }
      if line.words.count == 1, ["quit", "exit", "q"].contains(first) { return nil }
      return try run(line)
    } catch let error as ShellLine.Malformed {
      Diagnostics.report(error.message)
    } catch let error as LocatedError {
      Diagnostics.report(Problem(error).description)
      return 2
    } catch {
      Diagnostics.report(SessionCommands.line(for: error))
    }
    return 64
  }

  /// Runs `command` as sh(1) does, on the terminal if there is one.
  private func runProgram(_ command: String) -> Int32 {
    let input = isatty(STDIN_FILENO) == 1 ? "exec </dev/tty\n" : ""
    do throws(LocatedError) {
      let program = try ChildProgram.reading(input + command)
      Interrupt.leaveToOthers()
      program.finish()
      return 0
    } catch {
      Diagnostics.report(error.description)
      return 2
    }
  }

  private func run(_ line: ShellLine) throws -> Int32 {
    let words = CrashNames.translated(line.words, namesDump: false)
    if words[0] == "help" {
      let isShown = line.destination == .standardOutput
      try write(line.destination, isShown ? Display(on: STDOUT_FILENO) : .plain) {
        let text = try ShellHelp.text(of: words.dropFirst().first)
        session.output.folded(indent: 20) { session.output.text(text) }
      }
      return 0
    }
    guard let type = SessionCommands.named(words[0]) else {
      let advice = CrashNames.advice(words[0]).map { ": \($0)" } ?? " here; see 'help'"
      throw ValidationError("there is no command '\(words[0])'\(advice)")
    }
    if CrashNames.countsWords(line.words), isatty(STDIN_FILENO) == 1 { Self.explainCounts() }
    let command: any AnsweringCommand
    do {
      command = try type.asked(Array(words.dropFirst()))
    } catch  where SessionCommands.exitCode(for: error) == .success {
      // This is a request for help.
      try write(line.destination) { session.output.text(HelpText.arranged(type.message(for: error)) + "\n") }
      return 0
    }
    let isShown = line.destination == .standardOutput
    let pager = isShown ? command.display.pagerCommand : nil
    let display = command.display.display(on: isShown ? STDOUT_FILENO : nil)
    var status: Int32 = 0
    try write(pager.map { .program($0) } ?? line.destination, display) {
      do {
        try command.answer(session)
      } catch let code as ExitCode {
        status = code.rawValue
      }
    }
    return status
  }

  /// Lets `body` write to `destination` through the session's output.
  private func write(
    _ destination: ShellLine.Destination, _ display: Display = .plain, _ body: () throws -> Void
  ) throws {
    if case .program = destination { Interrupt.leaveToOthers() } else { Interrupt.arm() }
    defer { session.output = standardOutput }
    switch destination {
    case .standardOutput:
      session.output = Output(.job(STDOUT_FILENO), display)
      defer { session.output.flush() }
      try body()
    case .program(let command):
      let program = try ChildProgram.reading(command)
      session.output = Output(.job(program.pipe), display)
      let result = Result { try body() }
      session.output.flush()
      program.finish()
      try result.get()
    case .file(let path, let appends):
      let file = try SystemCall.create(path, appends: appends)
      defer { close(file) }
      let output = Output(.job(file), display)
      session.output = output
      let result = Result { try body() }
      output.flush()
      if let code = output.failure { throw SystemCall.unwritable(path, code) }
      try result.get()
    }
  }

  private static let countsWereExplained = Atomic<Bool>(false)

  /// Explains once that `rd` counts words here, as in crash.
  private static func explainCounts() {
    guard !countsWereExplained.exchange(true, ordering: .relaxed) else { return }
    Diagnostics.report("rd counts words of 8 bytes here, as crash does, and one if not told; read counts bytes")
  }
}
