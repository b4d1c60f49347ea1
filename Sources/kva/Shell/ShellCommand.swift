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
    // A program behind | may end before all is written.
    signal(SIGPIPE, SIG_IGN)
    let session = Session(options, Output(), readsQueries: false)
    _ = try session.dump
    let shell = Shell(session)
    guard isatty(STDIN_FILENO) == 1 else { return try script(shell) }
    do {
      let kernel = try session.kernel
      Completion.kernel.withLock { $0 = kernel }
    } catch let error as LocatedError {
      // There is still what info tells.
      Diagnostics.report(error.description)
    }
    let prompt = "kva> "
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

  /// Lines that no person enters: there is no prompt, and the exit status tells of the first that failed.
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

  /// The file that entered lines are kept in: what KVA_HISTORY names, none where that is empty, else one in the
  /// home directory.
  private static var historyPath: String? {
    if let named = SystemCall.environment("KVA_HISTORY") { return named.isEmpty ? nil : named }
    return SystemCall.environment("HOME").map { $0 + "/.kva_history" }
  }
}
