import ArgumentParser
import KernelVA

/// `kva print`: the values of expressions.
struct PrintCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "print",
    abstract: "Print the values of C expressions, with the types that the kernel carries.",
    discussion: """
      Example: kva print vmcore init_task.comm 'init_task.mm == 0'
      Example: kva print vmcore 'per_cpu(runqueues, 0).nr_running'
      Example: kva print vmcore '*(struct list_head *)&init_task.tasks'
      """,
    aliases: ["p"])

  static var takesSymbols: Bool { true }

  @OptionGroup var options: DumpOptions

  @Argument(help: "Expressions; none, or -, to read them from standard input.")
  var expressions: [String] = []

  @OptionGroup var shown: ShownOptions

  mutating func take(_ arguments: [String]) { expressions = arguments }

  func answer(_ session: Session) throws {
    let evaluator = try session.kernel.evaluator
    var queries = try Queries.parse([])
    queries.arguments = expressions
    var allFound = true
    try queries.forEach(session) { query in
      if !answer(query, evaluator, session) { allFound = false }
    }
    if !allFound { throw ExitCode.notFound }
  }

  /// Prints the value of `query`; returns whether all of it was readable.
  private func answer(_ query: String, _ evaluator: Evaluator, _ session: Session) -> Bool {
    do throws(ExpressionFailure) {
      let operand = try evaluator.evaluate(query)
      let (type, value, notes) = try evaluator.read(operand, options.json ? .all : shown.extent)
      if options.json {
        session.output.printedJSON(query, type, operand.address, value)
      } else if !value.isUnreadable {
        session.output.valueText(type, value, inHex: shown.hex)
      }
      for note in notes { session.report(note.explaining(query)) }
      return notes.isEmpty
    } catch {
      session.report(error.placed(in: query))
      return false
    }
  }
}

extension CValue {
  /// Whether it is unreadable.
  var isUnreadable: Bool { if case .unreadable = self { true } else { false } }
}

extension ExpressionFailure {
  /// What is wrong with `text`, in one line, with the part in question between marks.
  func line(_ text: String) -> String { "\(marked(text)): \(message)" }

  /// The same as a diagnostic with a code.
  func placed(in text: String) -> Diagnostic { diagnostic.explaining(marked(text)) }

  private func marked(_ text: String) -> String {
    let bytes = Array(text.utf8)
    guard let range, !range.isEmpty, range.upperBound <= bytes.count else { return text }
    func part(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
    return "\(part(0..<range.lowerBound))>>>\(part(range))<<<\(part(range.upperBound..<bytes.count))"
  }
}
