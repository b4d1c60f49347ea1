import ArgumentParser
import KernelVA

/// `kva report`: a summary of a dump for triage.
struct ReportCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Tell in one object what sorting many dumps needs: why it died, where, and what is wrong.",
    discussion: """
      This command prints the log's last lines and names of processes, which may be private.

      Example: kva report vmcore
      Example: for dump in *.vmcore; do kva report "$dump" --json; done | jq -r .signature | sort | uniq -c
      """)

  @OptionGroup var options: DumpOptions

  func answer(_ session: Session) throws {
    var report = DumpReport(path: session.options.dump)
    var failure: LocatedError?
    do {
      report.dump = try session.dump
      report.triage = try session.kernel.triage()
    } catch let error as LocatedError {
      report.error = Problem(error)
      failure = error
    }
    if options.json { session.output.reportJSON(report) } else { session.output.reportText(report) }
    guard let failure else { return }
    // As with info: a sound file without a kernel is still reported; other failures are final.
    guard failure.kind == .missing, failure.file == session.options.dump else { throw failure }
    session.report(failure)
    throw ExitCode.notFound
  }
}
