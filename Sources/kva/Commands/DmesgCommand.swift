import ArgumentParser
import KernelVA

/// `kva dmesg`: the kernel's log.
struct DmesgCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "dmesg",
    abstract: "Print the kernel's log.",
    discussion: """
      This command prints the contents of memory, which may be private.

      Example: kva dmesg vmcore --since -10 --level warn+
      Example: kva dmesg vmcore --json | jq -r 'select(.level <= 3).text'
      """,
    aliases: ["log"])

  @OptionGroup var options: DumpOptions

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Only messages of these levels; err+ is err and what is more severe.", valueName: "levels"))
  var level: LogLevels?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Only messages from this time on: seconds since boot, or -10 before the last.", valueName: "time"))
  var since: LogTime?

  @Flag(name: [.customShort("T"), .customLong("ctime")], help: "Show dates instead of seconds since boot.")
  var showsDates = false

  @Option(help: ArgumentHelp("Only messages with a line like this regular expression of grep -E.", valueName: "regex"))
  var grep: String?

  @Flag(name: .shortAndLong, help: "With --grep: small letters and capitals are alike.")
  var ignoreCase = false

  func validate() throws {
    if showsDates, options.json { throw ValidationError("--ctime is a form of the text; JSON has the timestamp.") }
    _ = try expression()
  }

  private func expression() throws -> RegularExpression? {
    do {
      return try grep.map { try RegularExpression($0, ignoresCase: ignoreCase) }
    } catch let error as RegularExpression.Malformed {
      throw ValidationError("--grep: \(error.message)")
    }
  }

  func answer(_ session: Session) throws {
    let expression = try expression()
    try session.list { kernel, output in
      let log = kernel.log
      let last = log.elements.last?.timestamp ?? 0
      var boot: UInt64?
      if showsDates {
        guard let crash = kernel.facts.crashTime?.value else {
          return [Diagnostic(.vmcoreinfoIncomplete, "CRASHTIME", "the dump does not say when it was made")]
        }
        // The last message is about as recent as the dump.
        boot = crash - min(crash, last / 1_000_000_000)
      }
      let first = since?.nanoseconds(last: last) ?? 0
      let found = log.elements.filter { record in
        record.timestamp >= first && level?.levels.contains(record.level) ?? true
          && expression.map { expression in
            record.text.split(separator: "\n").contains { expression.matches(String($0)) }
          } ?? true
      }
      for record in found { if options.json { output.logJSON(record) } else { output.logText(record, boot: boot) } }
      return log.notes
        + (found.isEmpty && !log.elements.isEmpty
          ? [Diagnostic(.noneMatches, "no message of the log is like that")] : [])
    }
  }
}
