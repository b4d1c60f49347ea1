import ArgumentParser
import KernelVA

/// `kva audit`: what no healthy kernel has in its tables.
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
    if options.json {
      for finding in report.findings { output.findingJSON(finding) }
    } else {
      for finding in report.findings { output.findingText(finding) }
      if report.findings.isEmpty { output.text("no findings in \(report.tables) tables\n") }
      for oddity in report.oddities {
        output.text("known: \(oddity.code.rawValue): \(Words.size(oddity.bytes)) ")
        output.text(oddity.count == 1 ? "at " : "in \(oddity.count) places from ")
        output.hex(oddity.first)
        output.text(" \(oddity.code.words)\n")
      }
      for reason in report.unchecked { output.text("not checked: \(reason)\n") }
    }
    if !report.findings.isEmpty { throw ExitCode.notFound }
  }
}

extension Output {
  /// One finding as a JSON object.
  func findingJSON(_ finding: Finding) { jsonLine { $0.finding(finding) } }

  /// One finding as a line, the entries that prove it below.
  func findingText(_ finding: Finding) {
    styled(finding.severity.rawValue, finding.severity == .high ? .bad : .doubtful)
    text(": \(finding.code.rawValue): ")
    hex(finding.first)
    text("-")
    hex(finding.last)
    text(" (")
    if let region = finding.region { text("\(region.rawValue), ") }
    text("\(Words.size(finding.last &- finding.first &+ 1))): \(finding.message)\n")
    var virtual: VirtualAddress?
    for proof in finding.proofs {
      if proof.virtual != virtual {
        text("    ")
        hex(proof.virtual.rawValue)
        newline()
        virtual = proof.virtual
      }
      text("    L\(proof.step.level)[\(proof.step.index)] ")
      hex(proof.step.address.rawValue)
      text(": 0x")
      digits(proof.step.descriptor.rawValue, atLeast: 16)
      text(" \(Words.name(proof.step.kind))\n")
    }
  }
}

extension JSONObject {
  /// The fields of a finding.
  mutating func finding(_ finding: Finding) {
    string("code", finding.code.rawValue)
    string("severity", finding.severity.rawValue)
    hex("start", finding.first)
    hex("end", finding.last &+ 1)
    number("size", finding.last &- finding.first &+ 1)
    string("region", finding.region?.rawValue)
    string("message", finding.message)
    array("descriptors", finding.proofs) { entry, proof in
      entry.hex("virtual", proof.virtual.rawValue)
      entry.number("level", proof.step.level)
      entry.number("index", proof.step.index)
      entry.hex("address", proof.step.address.rawValue)
      entry.hex("descriptor", proof.step.descriptor.rawValue)
      entry.string("kind", Words.name(proof.step.kind))
    }
  }
}
