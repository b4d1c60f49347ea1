import ArgumentParser
import KernelVA

/// Runs kva commands for a debugger, which shows their output and errors as one text.
struct MonitorCommands {
  let session: Session

  /// - Parameters:
  ///   - session: collects the problems; its output is restored afterwards.
  init(_ session: Session) { self.session = session }

  /// The output of the command `words`, without the dump's name.
  func output(of words: [String]) -> [UInt8] {
    let collected = CollectedOutput()
    let output = Output(.collected(collected))
    let usual = session.output
    session.output = output
    defer { session.output = usual }
    let words = CrashNames.translated(words, namesDump: false)
    do {
      if words.isEmpty || words[0] == "help" {
        output.text(words.count > 1 ? try ShellHelp.text(of: words[1]) : ShellHelp.commands)
      } else if let type = SessionCommands.named(words[0]) {
        try answer(type, Array(words.dropFirst()), output)
      } else {
        throw ShellHelp.unknown(words[0])
      }
    } catch let error as LocatedError {
      output.text("\(Problem(error).description)\n")
    } catch {
      output.text("\(SessionCommands.line(for: error))\n")
    }
    for problem in session.takeProblems() { output.text("\(problem.description)\n") }
    output.flush()
    return collected.bytes
  }

  private func answer(_ type: any AnsweringCommand.Type, _ words: [String], _ output: Output) throws {
    let command: any AnsweringCommand
    do {
      command = try type.asked(words)
    } catch  where SessionCommands.exitCode(for: error) == .success {
      return output.text(type.message(for: error) + "\n")
    }
    do {
      try command.answer(session)
    } catch is ExitCode {
      // The problem has already been reported.
    }
  }
}
