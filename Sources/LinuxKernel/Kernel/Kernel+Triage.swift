import Bytes

extension Kernel {
  /// Collects the triage report.
  package func triage() -> TriageReport {
    var report = TriageReport(facts, dump.summary, audit())
    report.warnings = warnings
    report.cpus = cpus.map { state in
      TriageReport.CPU(state: state, trace: state.registers.map { backtrace($0).map { text(of: $0) } } ?? [])
    }
    report.usesCnP = usesCnP
    let log = log
    report.note("log", log)
    if !log.elements.isEmpty { report.lastMessages = log.elements.suffix(Limits.triageMessages) }
    if let reason = CrashReason(log.elements) {
      let crash = crash(reason, report.cpus)
      report.signature = signature(reason, at: crash.traceSource == .registers ? crash.trace : [])
      report.crash = crash
    } else if !log.elements.isEmpty {
      report.notes.append(
        Diagnostic(
          .noCrash, "crash", "crash: the log tells of no death of the kernel: the dump may be of a running machine"))
    }
    report.fault = fault
    report.taint = taint ?? report.crash?.reason.taint
    if report.taint == nil {
      report.notes.append(
        Diagnostic(.taintUnknown, "taint", "taint: no symbol names tainted_mask, and the log does not tell"))
    }
    let modules = modules
    if !modules.elements.isEmpty || modules.notes.isEmpty { report.modules = modules.elements.count }
    report.note("modules", modules)
    let tasks = tasks
    if !tasks.elements.isEmpty {
      report.tasks = tasks.elements.count
      report.taskStates = TriageReport.Count.all(of: tasks.elements.map(\.state))
    }
    report.note("tasks", tasks)
    if !tasks.elements.isEmpty {
      let shown = busyTasks
      report.stacks = shown.prefix(Limits.triageStacks).map { stack(of: $0) }
      if shown.count > Limits.triageStacks {
        report.notes.append(
          Diagnostic(.notesOmitted, "stacks", "stacks: \(shown.count - Limits.triageStacks) more"))
      }
    }
    report.hardwareErrors = hardwareErrors
    let areas = vmallocAreas
    if !areas.elements.isEmpty || areas.notes.isEmpty {
      report.vmallocAreas = areas.elements.count
      report.vmallocBytes = areas.elements.reduce(0) { $0 &+ ($1.end &- $1.start) }
    }
    report.note("vmalloc", areas)
    return report
  }

  /// The crash as the log has it, with what else is known about the CPU that died.
  private func crash(_ reason: CrashReason, _ cpus: [TriageReport.CPU]) -> TriageReport.Crash {
    var crash = TriageReport.Crash(
      reason: reason, cpu: reason.cpu ?? panicCPU, pid: reason.pid, comm: reason.comm)
    let cpu = cpus.first { $0.state.cpu == crash.cpu }
    if crash.pid == nil { crash.pid = cpu?.state.task?.pid }
    if crash.comm == nil, let task = cpu?.state.task, task.pid == crash.pid { crash.comm = task.comm }
    let logged = reason.trace.first == reason.pc ? reason.trace : [reason.pc].compactMap(\.self) + reason.trace
    if !logged.isEmpty {
      crash.trace = logged
      crash.traceSource = .log
    } else if let trace = crashSite(reason).map({ $0.map(\.text) }) ?? cpu?.trace, !trace.isEmpty {
      crash.trace = trace
      crash.traceSource = .registers
    }
    return crash
  }

  /// The tasks that ran on a CPU, and those in uninterruptible sleep.
  private var busyTasks: [KernelTask] {
    let running = cpus.compactMap(\.task)
    return running
      + tasks.elements.filter { task in
        task.state == "D" && !running.contains { $0.structure == task.structure }
      }
  }
}
