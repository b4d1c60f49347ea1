import KernelVA

extension Output {
  /// One finding as a JSON object.
  func findingJSON(_ finding: Finding) { jsonLine { $0.finding(finding) } }

  /// What an audit found, and what it did not check.
  func auditText(_ report: AuditReport) {
    for finding in report.findings { folded { findingText(finding) } }
    if report.findings.isEmpty { text("no findings in \(report.tables) tables\n") }
    folded { auditNotes(report) }
  }

  private func auditNotes(_ report: AuditReport) {
    for oddity in report.oddities {
      text("known: \(oddity.code.rawValue): \(Words.size(oddity.bytes)) ")
      text(oddity.count == 1 ? "at " : "in \(oddity.count) places from ")
      hex(oddity.first)
      text(" \(oddity.code.words)\n")
    }
    for reason in report.unchecked { text("not checked: \(reason.advised)\n") }
  }

  /// One finding as a line, with the entries that prove it below.
  func findingText(_ finding: Finding) {
    styled(finding.severity.rawValue, finding.severity == .high ? .bad : .doubtful)
    text(": \(finding.code.rawValue): ")
    text(Words.range(finding.first, finding.last))
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
      stepText(proof.step)
      newline()
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
      entry.step(proof.step)
    }
  }
}
