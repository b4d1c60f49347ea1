import ArgumentParser
import Glibc
import KernelVA

/// A command that writes its answer to the output of a session, so that one process can run many.
protocol AnsweringCommand: ParsableCommand {
  /// Arguments with which it can be parsed before those of a query are known.
  static var sampleArguments: [String] { get }

  /// Whether its arguments complete as symbols.
  static var takesSymbols: Bool { get }

  /// How its answers are shown.
  var display: DisplayOptions { get }

  /// Replaces its arguments; its options stay.
  ///
  /// - Throws: `ValidationError` if it does not accept them.
  mutating func take(_ arguments: [String]) throws

  /// Writes the answer to the session's output.
  ///
  /// - Throws: `ExitCode.notFound` if something was not found, which has then been reported; `LocatedError` if a file
  ///   cannot be used; `ValidationError` for wrong usage.
  func answer(_ session: Session) throws
}

extension AnsweringCommand {
  static var sampleArguments: [String] { [] }
  static var takesSymbols: Bool { false }

  /// The command for `words`, the arguments after its name and without the dump.
  ///
  /// - Throws: what the parser throws, also for help; `ValidationError` if the words say how to open the dump.
  static func asked(_ words: [String]) throws -> Self {
    let command = try parse((self is any DumpCommand.Type ? ["-"] : []) + words)
    if let options = (command as? any DumpCommand)?.options, !options.access.isPlain {
      throw ValidationError("the options that say how to open the dump are given when kva starts, not with a question")
    }
    return command
  }

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
  var display: DisplayOptions { options.display }

  /// Runs as a process of its own.
  func run() throws {
    try display.write { output in
      let session = Session(options, output)
      try answer(session)
    }
  }
}

extension DisplayOptions {
  /// Lets `body` write to standard output, through a pager if one is asked for.
  func write(_ body: (Output) throws -> Void) throws {
    let display = display(on: STDOUT_FILENO)
    guard let command = pagerCommand else {
      let output = Output(.file(STDOUT_FILENO), display)
      defer { output.flush() }
      return try body(output)
    }
    let pager = try ChildProgram.reading(command)
    // Ctrl-C belongs to the pager; once that ends, the next write ends this process.
    Interrupt.leaveToOthers()
    let output = Output(.file(pager.pipe), display)
    let result = Result { try body(output) }
    output.flush()
    pager.finish()
    try result.get()
  }
}
