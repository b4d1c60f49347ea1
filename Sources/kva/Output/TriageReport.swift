import KernelVA

/// What `kva report` tells of a dump. Each part that cannot be had is nil, and a note says why.
struct TriageReport {
  /// How the kernel died.
  struct Crash {
    var reason: CrashReason
    var cpu: Int?
    var pid: Int?
    var comm: String?
    /// Where it was and how it came there, the innermost call first, as `%pS` prints them.
    var trace: [String] = []
    /// What the trace is from: "log", or "registers" for the frame records of the stopped CPU.
    var traceSource: String?
  }

  /// A CPU and where it was.
  struct CPU {
    var state: CPUState
    var trace: [String]
  }

  /// How often something is there.
  struct Count {
    var name: String
    var count: Int
  }

  /// Pages of the kernel's size.
  struct Pages {
    var present: UInt64
    var total: UInt64
    var filtered: UInt64
  }

  let path: String
  var dump: DumpFile?
  var kernel: Kernel?
  var error: Problem?
  var signature: String?
  var crash: Crash?
  var taint: Taint?
  var cpus: [CPU]?
  var modules: Int?
  var tasks: Int?
  var taskStates: [Count]?
  var vmallocAreas: Int?
  var vmallocBytes: UInt64?
  var pages: Pages?
  var audit: AuditReport?
  var findingCodes: [Count] = []
  /// What the processor reported.
  var fault: KernelFault?
  var lastMessages: ArraySlice<LogRecord>?
  var notes: [String] = []

  /// Messages of the log that are told.
  static let shownMessages = 20
  /// Findings that are told.
  static let shownFindings = 5
  /// Calls that people are told of.
  static let shownCalls = 12
  /// Notes about one part that are told.
  private static let shownNotes = 8

  /// What can be told where no kernel was found, and, without `dump`, nothing could be read.
  init(path: String, _ dump: DumpFile?, _ error: LocatedError) {
    self.path = path
    self.dump = dump
    self.error = Problem(error)
  }

  /// Gathers all there is to tell of `kernel`.
  init(_ kernel: Kernel) {
    let dump = kernel.dump
    path = dump.path
    self.dump = dump
    self.kernel = kernel
    let states = kernel.cpus
    cpus = states.map { state in
      CPU(state: state, trace: state.registers.map { kernel.backtrace($0).map { kernel.text(of: $0) } } ?? [])
    }
    let log = kernel.log
    note("log", log)
    if !log.elements.isEmpty { lastMessages = log.elements.suffix(Self.shownMessages) }
    if let reason = CrashReason(log.elements) {
      let crash = crash(reason)
      let registers = states.first { $0.cpu == crash.cpu }?.registers
      signature = kernel.signature(reason, at: registers.map { kernel.backtrace($0) } ?? [])
      self.crash = crash
    } else if !log.elements.isEmpty {
      notes.append("crash: the log tells of no death of the kernel: the dump may be of a running machine")
    }
    fault = kernel.fault
    taint = kernel.taint ?? crash?.reason.taint
    if taint == nil { notes.append("taint: no symbol names tainted_mask, and the log does not tell") }
    let modules = kernel.modules
    if !modules.elements.isEmpty || modules.notes.isEmpty { self.modules = modules.elements.count }
    note("modules", modules)
    let tasks = kernel.tasks
    if !tasks.elements.isEmpty {
      self.tasks = tasks.elements.count
      taskStates = Self.counts(tasks.elements.map(\.state))
    }
    note("tasks", tasks)
    let areas = kernel.vmallocAreas
    if !areas.elements.isEmpty || areas.notes.isEmpty {
      vmallocAreas = areas.elements.count
      vmallocBytes = areas.elements.reduce(0) { $0 &+ ($1.end &- $1.start) }
    }
    note("vmalloc", areas)
    let page = kernel.facts.granule.value.size
    let summary = dump.summary
    pages = Pages(
      present: summary.bytesPresent / page, total: summary.bytesTotal / page, filtered: summary.bytesFiltered / page)
    let audit = kernel.audit()
    findingCodes = Self.counts(audit.findings.map(\.code.rawValue))
    self.audit = audit
  }

  /// What the log tells of a death, and what else is known of the CPU that died.
  private func crash(_ reason: CrashReason) -> Crash {
    var crash = Crash(reason: reason, cpu: reason.cpu ?? kernel?.panicCPU, pid: reason.pid, comm: reason.comm)
    let cpu = cpus?.first { $0.state.cpu == crash.cpu }
    if crash.pid == nil { crash.pid = cpu?.state.task?.pid }
    if crash.comm == nil, let task = cpu?.state.task, task.pid == crash.pid { crash.comm = task.comm }
    let logged = reason.trace.first == reason.pc ? reason.trace : [reason.pc].compactMap(\.self) + reason.trace
    if !logged.isEmpty {
      crash.trace = logged
      crash.traceSource = "log"
    } else if let cpu, !cpu.trace.isEmpty {
      crash.trace = cpu.trace
      crash.traceSource = "registers"
    }
    return crash
  }

  private mutating func note<Element>(_ part: String, _ listing: Listing<Element>) {
    notes += listing.notes.prefix(Self.shownNotes).map { "\(part): \($0)" }
    let rest = listing.notes.count - Self.shownNotes
    if rest > 0 { notes.append("\(part): \(rest) more; see kva \(part == "log" ? "dmesg" : part)") }
  }

  /// How often each name is there, in the order of the names.
  private static func counts(_ names: [String]) -> [Count] {
    var counts: [String: Int] = [:]
    for name in names { counts[name, default: 0] += 1 }
    return counts.map { Count(name: $0.key, count: $0.value) }.sorted { $0.name < $1.name }
  }
}
