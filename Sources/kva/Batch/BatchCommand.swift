import ArgumentParser
import KernelVA

/// `kva batch`: many queries to one process.
struct BatchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "batch",
    abstract: "Answer requests from standard input, one JSON object a line.",
    discussion: """
      A request names a command, its arguments and its options; the answer has the objects that the command \
      prints with --json.

      Example: echo '{"id":1,"command":"resolve","arguments":["init_task+8"]}' | kva batch vmcore
      Example: kva batch vmcore < requests.ndjson | jq -c '.results[]'
      """)

  @OptionGroup var options: DumpOptions

  func run() throws {
    let session = Session(options, Output(), readsQueries: false, keepsProblems: true)
    // A dump that cannot be opened ends the process before the first request.
    _ = try session.dump
    var batch = Batch(session)
    var lines = InputLines(limit: Limits.requestBytes)
    let output = session.output
    while let line = lines.next(beforeWaiting: output.flush) { batch.answer(line) }
    output.flush()
  }
}
