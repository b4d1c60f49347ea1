import ArgumentParser
import KernelVA

/// The help of the shell, and of debuggers' `monitor`.
enum ShellHelp {
  /// The available commands, one per line.
  static var commands: String {
    var text = ""
    for type in SessionCommands.all {
      let configuration = type.configuration
      let names = ([configuration.commandName].compactMap(\.self) + configuration.aliases).joined(separator: ", ")
      text += "  \(names)\(String(repeating: " ", count: max(1, 18 - names.utf8.count)))\(configuration.abstract)\n"
    }
    return text
  }

  /// The usage of one command, or without a name the list of commands.
  ///
  /// - Throws: `ValidationError` if there is no such command.
  static func text(of name: String?) throws -> String {
    guard let name else {
      return commands + """

        The dump is not named here. 'help COMMAND' says more; kva-crash(7) has the habits of crash(8).
        COMMAND | PROGRAM and COMMAND > FILE do what they do in sh(1), ';' separates
        commands, '!' runs one of sh(1), 'quit' or Ctrl-D ends.

        """
    }
    guard let type = SessionCommands.named(name) else { throw unknown(name) }
    let text = HelpText.arranged(SessionCommands.helpMessage(for: type)) + "\n"
    return name == "read"
      ? text
        + "\nAs 'rd ADDRESS [COUNT]' it counts words, as crash does: of 8 bytes, or with -32, -16 or -8 smaller.\n"
      : text
  }

  /// The error for an unknown command.
  static func unknown(_ name: String) -> ValidationError {
    ValidationError("there is no command '\(name)'\(CrashNames.advice(name).map { ": \($0)" } ?? "; see 'help'")")
  }
}
