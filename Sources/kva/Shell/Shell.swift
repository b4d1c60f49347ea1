import ArgumentParser
import Glibc
import KernelVA

/// Runs commands that are entered line by line, on one session.
struct Shell {
  private let session: Session
  private let standardOutput: Output

  /// What a line may begin with.
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

  /// Runs one line.
  ///
  /// - Returns: the exit status that it would have as a command; nil where it ends the shell.
  func run(_ text: String) -> Int32? {
    do {
      let line = try ShellLine(text)
      guard let first = line.words.first else { return 0 }
      if line.words.count == 1, ["quit", "exit", "q"].contains(first) { return nil }
      return try run(line)
    } catch let error as ShellLine.Malformed {
      Diagnostics.report(error.message)
    } catch let error as LocatedError {
      Diagnostics.report(error.description)
      return 2
    } catch {
      Diagnostics.report(SessionCommands.line(for: error))
    }
    return 64
  }

  private func run(_ line: ShellLine) throws -> Int32 {
    let words = CrashNames.translated(line.words, namesDump: false)
    if words[0] == "help" {
      try write(line.destination) { session.output.text(try Self.help(words.dropFirst().first)) }
      return 0
    }
    guard let type = SessionCommands.named(words[0]) else {
      throw ValidationError("there is no command '\(words[0])' here; see 'help'")
    }
    let command: any AnsweringCommand
    do {
      command = try type.asked(Array(words.dropFirst()))
    } catch  where SessionCommands.exitCode(for: error) == .success {
      // It was asked for help.
      try write(line.destination) { session.output.text(type.message(for: error) + "\n") }
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

  /// What can be entered, or how one command is used.
  private static func help(_ name: String?) throws -> String {
    if let name {
      guard let type = SessionCommands.named(name) else {
        throw ValidationError("there is no command '\(name)'; see 'help'")
      }
      return SessionCommands.helpMessage(for: type) + "\n"
    }
    var text = ""
    for type in SessionCommands.all {
      let configuration = type.configuration
      let names = ([configuration.commandName].compactMap(\.self) + configuration.aliases).joined(separator: ", ")
      text += "  \(names)\(String(repeating: " ", count: max(1, 18 - names.utf8.count)))\(configuration.abstract)\n"
    }
    return text + """
      The dump is not named here. COMMAND | PROGRAM and COMMAND > FILE do what they do in sh(1); 'help COMMAND' \
      tells more, 'quit' or Ctrl-D ends.

      """
  }
}
