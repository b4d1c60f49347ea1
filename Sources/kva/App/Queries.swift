import ArgumentParser
import KernelVA

/// The queries of a command: its arguments, or the lines of standard input.
struct Queries: ParsableArguments {
  @Argument(help: "Addresses and symbols; none, or -, to read them from standard input.")
  var arguments: [String] = []

  /// Calls `body` with each query in turn. Answers are written out before the process waits for input.
  func forEach(_ session: Session, _ body: (String) throws -> Void) throws {
    for argument in arguments.isEmpty ? ["-"] : arguments {
      guard argument == "-" else {
        try body(argument)
        continue
      }
      guard session.readsQueries else {
        throw ValidationError("Give the queries as arguments: here standard input holds the commands")
      }
      var lines = InputLines(limit: Limits.queryBytes)
      while let line = lines.next(beforeWaiting: { session.output.flush() }) { try body(line.text) }
    }
  }
}
