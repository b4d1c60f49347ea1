import ArgumentParser
import Glibc
import KernelVA

/// `kva shell`: commands entered line by line.
struct ShellCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "shell",
    abstract: "Ask about one dump at a prompt, with the names of crash(8) where they differ.",
    discussion: """
      The commands are those of kva, without the dump: 'vtop init_task', 'ps | less', 'ptdump > file'.

      Example: kva shell vmcore
      Example: printf 'mod\\nlog | tail -3\\n' | kva shell vmcore
      """)

  @OptionGroup var options: DumpOptions

  func run() throws {
    // A program after `|` may end before all is written.
    signal(SIGPIPE, SIG_IGN)
    let session = Session(options, Output(), readsQueries: false)
    _ = try session.dump
    let shell = Shell(session)
    guard isatty(STDIN_FILENO) == 1 else { return try script(shell) }
    do {
      let kernel = try session.kernel
      Completion.kernel.withLock { $0 = kernel }
    } catch let error as LocatedError {
      // `info` still works.
      Diagnostics.report(Problem(error).description)
    }
    banner(session)
    runStartFile(shell)
    let prompt = "kva \(Diagnostics.printable(Self.shortName(options.dump)))> "
    guard let editor = LineEditor(history: Self.historyPath) else {
      Diagnostics.report("libedit is not installed: lines cannot be edited or completed")
      return plain(shell, session, prompt: prompt)
    }
    loop: while true {
      switch editor.next(prompt: prompt) {
      case .end:
        session.output.newline()
        session.output.flush()
        break loop
      case .interrupted:
        session.output.newline()
        session.output.flush()
        continue loop
      case .line(let line): if shell.run(line) == nil { break loop }
      }
    }
    editor.finish()
  }

  /// Describes the dump before the first prompt.
  private func banner(_ session: Session) {
    let output = Output(.file(STDOUT_FILENO), options.display.display(on: STDOUT_FILENO))
    output.text("kva \(Release.version)\n")
    output.field("dump", options.dump, indent: 9)
    if let kernel = try? session.kernel {
      if let release = kernel.facts.release?.value { output.field("release", release, indent: 9) }
      let crash = CrashReason(kernel.log.elements)
      let time = kernel.facts.crashTime.map { Words.date($0.value) }
      let words = [crash?.text ?? "the log says nothing of one: the machine may have been running", time]
      output.field("crash", words.compactMap(\.self).joined(separator: ", "), indent: 9)
    }
    output.text("'help' lists the commands, 'quit' or Ctrl-D ends.\n")
    output.flush()
  }

  /// Runs the lines of `kva/rc` in XDG_CONFIG_HOME, or in .config of the home directory.
  private func runStartFile(_ shell: Shell) {
    let named = SystemCall.environment("XDG_CONFIG_HOME").flatMap { $0.isEmpty ? nil : $0 }
    guard let folder = named ?? SystemCall.environment("HOME").map({ $0 + "/.config" }),
      case let path = folder + "/kva/rc", SystemCall.isFile(path),
      let text = SystemCall.text(of: path, limit: Limits.startFileBytes)
    else { return }
    for line in text.split(separator: "\n") { _ = shell.run(String(line)) }
  }

  /// The name of a dump without its directories; of several parts, the first.
  private static func shortName(_ dump: String) -> String {
    let first = dump.prefix { $0 != "," }
    return first.split(separator: "/").last.map(String.init) ?? dump
  }

  /// Runs lines from a script: there is no prompt, and the exit status is that of the first that failed.
  private func script(_ shell: Shell) throws {
    var lines = InputLines(limit: Limits.queryBytes)
    var worst: Int32 = 0
    while let line = lines.next(beforeWaiting: {}), let status = shell.run(line.text) {
      if worst == 0 { worst = status }
    }
    if worst != 0 { throw ExitCode(worst) }
  }

  /// A prompt without libedit.
  private func plain(_ shell: Shell, _ session: Session, prompt: String) {
    var lines = InputLines(limit: Limits.queryBytes)
    func ask() {
      session.output.text(prompt)
      session.output.flush()
    }
    while let line = lines.next(beforeWaiting: ask) {
      guard shell.run(line.text) != nil else { return }
    }
    session.output.newline()
    session.output.flush()
  }

  /// The history file: the one that KVA_HISTORY names, none if that is empty, else one in the home directory.
  private static var historyPath: String? {
    if let named = SystemCall.environment("KVA_HISTORY") { return named.isEmpty ? nil : named }
    return SystemCall.environment("HOME").map { $0 + "/.kva_history" }
  }
}
