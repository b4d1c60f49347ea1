import ArgumentParser
import KernelVA

/// `kva audit`: page table contents that no healthy kernel has.
struct AuditCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Look through the kernel's tables for mappings that no healthy kernel has.",
    discussion: """
      Exit status 0: nothing was found; 1: there are findings.

      Example: kva audit vmcore
      Example: for dump in *.vmcore; do kva audit "$dump" --json || echo "$dump"; done
      """)

  @OptionGroup var options: DumpOptions

  func answer(_ session: Session) throws {
    let report = try session.kernel.audit()
    let output = session.output
    if options.json { report.findings.forEach(output.findingJSON) } else { output.auditText(report) }
    if !report.findings.isEmpty { throw ExitCode.notFound }
  }
}
