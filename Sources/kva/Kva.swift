import ArgumentParser
import Glibc
import KernelVA

/// The command.
@main
struct Kva: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kva",
    abstract: "Say what any virtual address in an arm64 Linux crash dump is.",
    discussion: """
      An ARGUMENT is an address when it begins with 0x or is 8 to 16 hex digits, else a symbol: \
      NAME, NAME+0x10. Without ARGUMENT, or with -, queries are read from standard input, one a line.

      Exit status: 0 everything asked was found; 1 something was not; 2 the dump or vmlinux cannot be used; \
      64 wrong usage.

      Example: kva resolve vmcore swapper_pg_dir 0xffff80000a1c2d40
      """,
    version: "kva \(Release.version)",
    subcommands: SessionCommands.all + [
      BatchCommand.self, ShellCommand.self, GDBServerCommand.self, DrgnCommand.self, ExportCommand.self,
      AssistantCommand.self,
      ViewCommand.self,
    ])

  /// Without a command: what there is to begin with.
  func run() {
    let output = Output()
    output.text(
      """
      kva says what any virtual address in an arm64 Linux crash dump is.

        kva info DUMP               what the dump is, and which kernel is in it
        kva resolve DUMP ADDRESS    where an address leads, by the tables in the dump; a symbol will do
        kva identify DUMP ADDRESS   what lies there
        kva report DUMP             why the kernel died, and what is wrong with it
        kva shell DUMP              all of it at a prompt

      'kva --help' lists every command, 'kva COMMAND --help' and kva-COMMAND(1) tell how one is used.

      """)
    output.flush()
  }

  /// Parses the arguments and runs the command; every error ends as one line and an exit status.
  static func main() {
    // A reader that goes away ends the process quietly, also where the parent ignored the signal.
    signal(SIGPIPE, SIG_DFL)
    do {
      var command = try parsed(Array(CommandLine.arguments.dropFirst()))
      try command.run()
    } catch let error as LocatedError {
      Diagnostics.report(Problem(error).description)
      Glibc.exit(2)
    } catch  where exitCode(for: error) == .success {
      // It was asked for help, the version or a completion script.
      let text = HelpText.arranged(fullMessage(for: error))
      let output = Output()
      if !text.isEmpty { output.text(text + "\n") }
      output.flush()
    } catch {
      let text = fullMessage(for: error)
      if !text.isEmpty { Diagnostics.writeFolded(text + "\n") }
      Glibc.exit(exitCode(for: error).rawValue)
    }
  }
}

extension Kva {
  /// The command that `arguments` name, with its values.
  ///
  /// One command by itself is parsed in half the time that it takes as one of all; what is no call of a command
  /// in order (help, an error, a completion) is left to the whole parser.
  static func parsed(_ arguments: [String]) throws -> any ParsableCommand {
    let arguments = CrashNames.translated(arguments, namesDump: true)
    guard let name = arguments.first, !name.hasPrefix("-"), name != "help" else { return try parseAsRoot(arguments) }
    guard
      let command = configuration.subcommands.first(where: {
        $0._commandName == name || $0.configuration.aliases.contains(name)
      })
    else { throw ValidationError(noCommand(name)) }
    var words = Array(arguments.dropFirst())
    if command == FaultCommand.self { words = FaultCommand.completed(words) }
    if let parsed = try? command.parse(words) { return parsed }
    return try parseAsRoot([name] + words)
  }

  /// What to say of a command that there is not: those that begin alike are offered.
  private static func noCommand(_ name: String) -> String {
    if let advice = CrashNames.advice(name) { return "kva has no command '\(name)': \(advice)" }
    if SystemCall.isFile(name) { return "the command comes first: kva info \(name)?" }
    let like = configuration.subcommands.map { $0._commandName }.filter { $0.hasPrefix(name.prefix(3)) }
    return "kva has no command '\(name)'\(like.isEmpty ? "" : "; did you mean \(like.joined(separator: ", "))?")"
  }
}
