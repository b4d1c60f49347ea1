import KernelVA

/// The parts of `kva info` that show how trustworthy the rest is: the cross-checks, and the candidate root tables.
extension JSONObject {
  /// The fields `verification` and `rootCandidates`.
  mutating func evidence(for kernel: Kernel) {
    array("verification", kernel.fullVerification.checks) { check, value in
      check.string("check", value.subject.rawValue)
      check.string("outcome", value.outcome.rawValue)
      check.string("detail", value.detail)
    }
    array("rootCandidates", kernel.rootCandidates) { candidate, value in
      candidate.hex("physical", value.regime.root.rawValue)
      candidate.number("score", value.score)
      candidate.number("bestScore", value.bestScore)
      candidate.number("pageSize", value.regime.granule.size)
      candidate.number("vaBitsActual", value.regime.addressBits)
      candidate.hex("kimageVoffset", value.imageOffset)
      candidate.number("linearBytes", value.linearBytes)
      candidate.strings("evidence", value.evidence)
    }
  }
}

extension Output {
  /// The same as text: disagreements always, the rest with the sources.
  func evidenceText(for kernel: Kernel, _ line: (String, String, String?) -> Void) {
    for check in kernel.fullVerification.checks where display.isVerbose || check.outcome == .disagrees {
      line("check, \(check.subject.rawValue)", check.outcome.rawValue, check.detail)
    }
    guard display.isVerbose else { return }
    for (number, candidate) in kernel.rootCandidates.enumerated() {
      let regime = candidate.regime
      line(
        number == 0 ? "root found" : "  runner-up",
        "\(Words.hex(regime.root.rawValue)), \(Words.size(regime.granule.size)) pages, \(regime.addressBits) bits, "
          + "score \(candidate.score) of \(candidate.bestScore)", candidate.evidence.joined(separator: "; "))
    }
  }
}
