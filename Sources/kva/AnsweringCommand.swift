import ArgumentParser
import KernelVA

/// A command whose answer goes to the output of a session, so that one process can ask many.
protocol AnsweringCommand: ParsableCommand {
  /// Arguments that it can be parsed with before those of the question are known.
  static var sampleArguments: [String] { get }

  /// Replaces its arguments; its options stay.
  ///
  /// - Throws: `ValidationError` when it cannot take these.
  mutating func take(_ arguments: [String]) throws

  /// Writes the answer to the session's output.
  ///
  /// - Throws: `ExitCode.notFound` when something asked for was not found, which has then been told;
  ///   `LocatedError` when a file cannot be used; `ValidationError` for wrong usage.
  func answer(_ session: Session) throws
}

extension AnsweringCommand {
  static var sampleArguments: [String] { [] }

  mutating func take(_ arguments: [String]) throws {
    if let first = arguments.first { throw ValidationError("Unexpected argument '\(first)'") }
  }
}

/// A command about a dump.
protocol DumpCommand: AnsweringCommand {
  /// The dump, and how to open it.
  var options: DumpOptions { get }
}

extension DumpCommand {
  /// Answers as a process of its own does.
  func run() throws {
    let session = Session(options, Output())
    do {
      try answer(session)
    } catch {
      session.output.flush()
      throw error
    }
    session.output.flush()
  }
}
