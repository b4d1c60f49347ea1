import ArgumentParser
import KernelVA

/// `kva mcp`: the commands for assistants.
struct AssistantCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mcp",
    abstract: "Answer assistants by the Model Context Protocol.",
    discussion: """
      The program that hosts an assistant starts kva and speaks with it by standard input and output. The commands are \
      tools; all they do is read.

      Example: kva mcp vmcore
      Example: kva mcp vmcore --user
      """)

  @OptionGroup var options: DumpOptions

  @Flag(name: .long, help: "Show the memory of processes and files as well.")
  var user = false

  func run() throws {
    let session = Session(options, Output(), readsQueries: false, keepsProblems: true)
    // A dump that cannot be opened ends the process before the first request.
    _ = try session.dump
    if !user { try session.leaveOutUserMemory() }
    var server = AssistantServer(session)
    var lines = InputLines(limit: Limits.requestBytes)
    while let line = lines.next(beforeWaiting: session.output.flush) { server.answer(line) }
    session.output.flush()
  }
}
