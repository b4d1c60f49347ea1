import KernelVA

/// What `kva report` prints: the problems of the dump, and the facts about its kernel.
struct DumpReport {
  /// The most findings shown.
  static let shownFindings = 5
  /// The most blocked tasks in the text.
  static let shownBlocked = 8
  /// The most calls in the text.
  static let shownCalls = 12

  let path: String
  /// nil if the file cannot be opened.
  var dump: DumpFile?
  /// nil if no kernel was found.
  var triage: TriageReport?
  var error: Problem?
}

extension Output {
  /// The report as one JSON object; what is unavailable is null.
  func reportJSON(_ report: DumpReport) {
    let triage = report.triage
    jsonLine { object in
      object.number("schema", JSONObject.schema)
      object.string("dump", report.path)
      object.object("error", report.error) { $0.problem($1) }
      object.string("signature", triage?.signature)
      object.object("crash", triage?.crash) { part, crash in
        part.string("kind", crash.reason.kind.rawValue)
        part.string("text", crash.reason.text)
        part.string("panic", crash.reason.panic)
        part.number("timestamp", crash.reason.timestamp)
        part.number("cpu", crash.cpu)
        part.number("pid", crash.pid)
        part.string("comm", crash.comm)
        part.string("at", crash.trace.first)
        part.strings("trace", crash.trace)
        part.string("traceSource", crash.traceSource?.rawValue)
      }
      let facts = triage?.facts
      object.string("format", report.dump?.summary.format)
      object.string("release", facts?.release?.value)
      object.string("buildID", facts?.buildID?.value)
      object.number("crashTime", facts?.crashTime?.value)
      object.number("pageSize", facts?.granule.value.size)
      object.number("vaBits", facts?.vaBits.value)
      object.object("taint", triage?.taint) { part, taint in
        part.hex("mask", taint.mask)
        part.string("letters", taint.letters)
      }
      object.array("cpus", triage?.cpus) { part, cpu in
        part.cpu(cpu.state, cnp: triage?.usesCnP)
        part.string("at", cpu.trace.first)
        part.strings("trace", cpu.trace)
      }
      object.object("counts") { counts in
        counts.number("modules", triage?.modules)
        counts.number("tasks", triage?.tasks)
        counts.object("taskStates", triage?.taskStates) { part, states in
          for state in states { part.number(state.name, state.count) }
        }
        counts.number("vmallocAreas", triage?.vmallocAreas)
        counts.number("vmallocBytes", triage?.vmallocBytes)
        counts.number("pagesPresent", triage?.pages.present)
        counts.number("pagesTotal", triage?.pages.total)
        counts.number("pagesFiltered", triage?.pages.filtered)
      }
      object.object("audit", triage?.audit) { part, audit in
        part.number("findings", audit.findings.count)
        part.object("codes") { codes in
          for code in triage?.findingCodes ?? [] { codes.number(code.name, code.count) }
        }
        part.array("first", audit.findings.prefix(DumpReport.shownFindings)) { $0.finding($1) }
        part.strings("unchecked", audit.unchecked)
        part.diagnostics(audit.unchecked)
      }
      object.array("log", triage?.lastMessages) { $0.logRecord($1) }
      object.object("fault", triage?.fault) { $0.fault($1) }
      object.array("stacks", triage?.stacks) { $0.reportedStack($1) }
      object.array("hardwareErrors", triage?.hardwareErrors?.counts) { part, errors in
        part.string("kind", errors.kind)
        part.number("count", errors.count)
        part.number("last", errors.last)
      }
      let warnings = triage?.warnings ?? report.dump?.warnings ?? []
      let notes = triage?.notes ?? []
      object.strings("warnings", warnings)
      object.strings("notes", notes)
      object.diagnostics(warnings + notes)
    }
  }

  /// The report as text.
  func reportText(_ report: DumpReport) {
    let triage = report.triage
    func line(_ name: String, _ value: String?) {
      if let value { field(name, value, indent: 12) }
    }
    func counted(_ counts: [TriageReport.Count]) -> String {
      counts.map { "\($0.name) \($0.count)" }.joined(separator: ", ")
    }
    line("dump", report.path + (report.dump.map { ", \($0.summary.format)" } ?? ""))
    line("error", report.error?.description)
    line("signature", triage?.signature)
    if let crash = triage?.crash {
      line("reason", crash.reason.text)
      if let panic = crash.reason.panic, !crash.reason.text.hasSuffix(panic) { line("panic", panic) }
      let who = [
        crash.cpu.map { "CPU \($0)" }, crash.pid.map { "pid \($0)" }, crash.comm,
      ].compactMap(\.self)
      line("task", who.isEmpty ? nil : who.joined(separator: ", "))
      for (number, place) in crash.trace.prefix(DumpReport.shownCalls).enumerated() {
        line(number == 0 ? "trace" : "", place)
      }
    }
    line("release", triage?.facts.release?.value)
    line("build-ID", triage?.facts.buildID?.value)
    line("crash time", triage?.facts.crashTime.map { Words.date($0.value) })
    line("taint", triage?.taint.map { $0.mask == 0 ? "none" : "\($0.letters) (\(Words.hex($0.mask)))" })
    for cpu in triage?.cpus ?? [] {
      let pc = cpu.state.registers.map { cpu.trace.first ?? Words.hex($0.pc) }
      let task = cpu.state.task.map { "pid \($0.pid) \($0.comm)" }
      line("cpu \(cpu.state.cpu)", [pc, task].compactMap(\.self).joined(separator: ", "))
    }
    let blocked = (triage?.stacks ?? []).filter { $0.runningOn == nil }
    for stack in blocked.prefix(DumpReport.shownBlocked) {
      let since = stack.sinceRun.map { ", last ran \(Words.seconds($0)) s ago" } ?? ""
      let wait = stack.wait.map { ", waits for \(Words.wait($0))" } ?? ""
      line("blocked", "pid \(stack.task.pid) \(stack.task.comm), stack \(stack.hash)\(since)\(wait)")
      for named in stack.chain.prefix(DumpReport.shownCalls) { line("", named.text) }
    }
    if blocked.count > DumpReport.shownBlocked {
      line("", "\(blocked.count - DumpReport.shownBlocked) more; see kva stack --state D --group")
    }
    for errors in triage?.hardwareErrors?.counts ?? [] where errors.count > 0 {
      line(
        "hardware",
        "\(errors.count) recovered \(errors.kind) errors" + (errors.last.map { ", last \(Words.date($0))" } ?? ""))
    }
    line("modules", triage?.modules.map { "\($0)" })
    line("tasks", triage?.tasks.map { "\($0): \(counted(triage?.taskStates ?? []))" })
    line("vmalloc", triage?.vmallocAreas.map { "\($0) areas, \(Words.size(triage?.vmallocBytes ?? 0))" })
    line("pages", (triage?.pages).map { "\($0.present) of \($0.total), \($0.filtered) filtered out" })
    if let audit = triage?.audit {
      line("audit", audit.findings.isEmpty ? "no findings" : counted(triage?.findingCodes ?? []))
      for finding in audit.findings.prefix(DumpReport.shownFindings) {
        line("", "\(Words.hex(finding.first)) \(finding.code.rawValue): \(finding.message)")
      }
    }
    for note in triage?.notes ?? [] { line("note", note.advised) }
    for record in triage?.lastMessages ?? [] { logText(record) }
  }
}
