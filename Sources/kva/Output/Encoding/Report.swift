import KernelVA

extension Output {
  /// The report as one JSON object; what cannot be had is null.
  func reportJSON(_ report: TriageReport) {
    jsonLine { object in
      object.number("schema", JSONObject.schema)
      object.string("dump", report.path)
      object.object("error", report.error) { $0.problem($1) }
      object.string("signature", report.signature)
      object.object("crash", report.crash) { part, crash in
        part.string("kind", crash.reason.kind.rawValue)
        part.string("text", crash.reason.text)
        part.string("panic", crash.reason.panic)
        part.number("timestamp", crash.reason.timestamp)
        part.number("cpu", crash.cpu)
        part.number("pid", crash.pid)
        part.string("comm", crash.comm)
        part.string("at", crash.trace.first)
        part.strings("trace", crash.trace)
        part.string("traceSource", crash.traceSource)
      }
      let facts = report.kernel?.facts
      object.string("format", report.dump?.summary.format)
      object.string("release", facts?.release?.value)
      object.string("buildID", facts?.buildID?.value)
      object.number("crashTime", facts?.crashTime?.value)
      object.number("pageSize", facts?.granule.value.size)
      object.number("vaBits", facts?.vaBits.value)
      object.object("taint", report.taint) { part, taint in
        part.hex("mask", taint.mask)
        part.string("letters", taint.letters)
      }
      object.array("cpus", report.cpus) { part, cpu in
        if let kernel = report.kernel { part.cpu(cpu.state, of: kernel) }
        part.string("at", cpu.trace.first)
        part.strings("trace", cpu.trace)
      }
      object.object("counts") { counts in
        counts.number("modules", report.modules)
        counts.number("tasks", report.tasks)
        counts.object("taskStates", report.taskStates) { part, states in
          for state in states { part.number(state.name, state.count) }
        }
        counts.number("vmallocAreas", report.vmallocAreas)
        counts.number("vmallocBytes", report.vmallocBytes)
        counts.number("pagesPresent", report.pages?.present)
        counts.number("pagesTotal", report.pages?.total)
        counts.number("pagesFiltered", report.pages?.filtered)
      }
      object.object("audit", report.audit) { part, audit in
        part.number("findings", audit.findings.count)
        part.object("codes") { codes in
          for code in report.findingCodes { codes.number(code.name, code.count) }
        }
        part.array("first", audit.findings.prefix(TriageReport.shownFindings)) { $0.finding($1) }
        part.strings("unchecked", audit.unchecked)
      }
      object.array("log", report.lastMessages) { $0.logRecord($1) }
      object.object("fault", report.fault) { $0.fault($1) }
      object.strings("warnings", report.kernel?.warnings ?? report.dump?.warnings ?? [])
      object.strings("notes", report.notes)
    }
  }

  /// The report for people, a line for each thing.
  func reportText(_ report: TriageReport) {
    func line(_ name: String, _ value: String?) {
      guard let value else { return }
      text(name)
      spaces(12 - name.utf8.count)
      printable(value)
      newline()
    }
    func counted(_ counts: [TriageReport.Count]) -> String {
      counts.map { "\($0.name) \($0.count)" }.joined(separator: ", ")
    }
    line("dump", report.path + (report.dump.map { ", \($0.summary.format)" } ?? ""))
    line("error", report.error?.description)
    line("signature", report.signature)
    if let crash = report.crash {
      line("reason", crash.reason.text)
      if let panic = crash.reason.panic, !crash.reason.text.hasSuffix(panic) { line("panic", panic) }
      let who = [
        crash.cpu.map { "CPU \($0)" }, crash.pid.map { "pid \($0)" }, crash.comm,
      ].compactMap(\.self)
      line("task", who.isEmpty ? nil : who.joined(separator: ", "))
      for (number, place) in crash.trace.prefix(TriageReport.shownCalls).enumerated() {
        line(number == 0 ? "trace" : "", place)
      }
    }
    line("release", report.kernel?.facts.release?.value)
    line("build-ID", report.kernel?.facts.buildID?.value)
    line("crash time", report.kernel?.facts.crashTime.map { Words.date($0.value) })
    line("taint", report.taint.map { $0.mask == 0 ? "none" : "\($0.letters) (\(Words.hex($0.mask)))" })
    for cpu in report.cpus ?? [] {
      let pc = cpu.state.registers.map { cpu.trace.first ?? Words.hex($0.pc) }
      let task = cpu.state.task.map { "pid \($0.pid) \($0.comm)" }
      line("cpu \(cpu.state.cpu)", [pc, task].compactMap(\.self).joined(separator: ", "))
    }
    line("modules", report.modules.map { "\($0)" })
    line("tasks", report.tasks.map { "\($0): \(counted(report.taskStates ?? []))" })
    line("vmalloc", report.vmallocAreas.map { "\($0) areas, \(report.vmallocBytes ?? 0) bytes" })
    line("pages", report.pages.map { "\($0.present) of \($0.total), \($0.filtered) filtered out" })
    if let audit = report.audit {
      line("audit", audit.findings.isEmpty ? "no findings" : counted(report.findingCodes))
      for finding in audit.findings.prefix(TriageReport.shownFindings) {
        line("", "\(Words.hex(finding.first)) \(finding.code.rawValue): \(finding.message)")
      }
    }
    for note in report.notes { line("note", note) }
    for record in report.lastMessages ?? [] { logText(record) }
  }
}
