import KernelVA

extension Session {
  /// Reports what a pass over tables could not show; returns true if there was nothing.
  func report(_ pass: SweepReport, _ dump: DumpFile) -> Bool {
    let (result, problems) = (pass.result, pass.problems)
    if let fault = problems.fault {
      let filtered = problems.filtered > 0 ? ", \(problems.filtered) of them filtered out," : ""
      report(
        .tableUnreadable,
        "\(problems.tables) \(problems.tables == 1 ? "table" : "tables")\(filtered) for "
          + "\(Words.size(problems.unreadable)) of addresses cannot be read, the first: \(dump.describe(fault))")
    }
    if problems.corrupt > 0 {
      let what = problems.corrupt == 1 ? "1 entry cannot be; kva audit shows it" : nil
      report(.reservedEncoding, what ?? "\(problems.corrupt) entries cannot be; kva audit shows them")
    }
    if problems.odd > 0 {
      let what = problems.odd == 1 ? "1 entry is none" : "\(problems.odd) entries are none"
      report(.oddEntry, "\(what) that a kernel writes there, so that what is mapped may be wrong")
    }
    if let first = problems.firstTwin {
      let what = problems.twins == 1 ? "1 table is" : "\(problems.twins) tables are"
      report(
        .duplicateTable,
        "\(what) there twice: one was written over another, so that what is mapped may be wrong; "
          + "the first is at \(Words.hex(first.rawValue))")
    }
    if result.isCutShort {
      report(.passCutShort, "gave up after \(result.tables) tables, which are used again and again")
    }
    return problems.fault == nil && problems.corrupt == 0 && problems.odd == 0 && problems.twins == 0
      && !result.isCutShort
  }
}
