import ArgumentParser
import KernelVA

/// `kva dmesg`: the kernel's log.
struct DmesgCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "dmesg",
    abstract: "Print the kernel's log.",
    discussion: """
      This command prints the contents of memory, which may be private.

      Example: kva dmesg vmcore | tail
      Example: kva dmesg vmcore --json | jq -r 'select(.level <= 3).text'
      """,
    aliases: ["log"])

  @OptionGroup var options: DumpOptions

  func answer(_ session: Session) throws {
    try session.list { kernel, output in
      let log = kernel.log
      for record in log.elements {
        if options.json { output.logJSON(record) } else { output.logText(record) }
      }
      return log.notes
    }
  }
}
