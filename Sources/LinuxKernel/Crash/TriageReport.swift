import Bytes
import CrashDump

/// A summary of a dump for triage. A part that is unavailable is nil, and a note says why.
package struct TriageReport: Sendable {
  /// How the kernel died.
  package struct Crash: Sendable {
    /// The reason according to the log.
    package var reason: CrashReason
    /// The CPU that died.
    package var cpu: Int?
    /// The PID of the task it ran.
    package var pid: Int?
    /// The name of that task.
    package var comm: String?
    /// The call trace, innermost first, as `%pS` prints it.
    package var trace: [String] = []
    /// The source of the trace; nil if there is none.
    package var traceSource: TraceSource?
  }

  /// The source of a call trace.
  package enum TraceSource: String, Sendable {
    /// The kernel's log.
    case log
    /// The frame records of the stopped CPU.
    case registers
  }

  /// A CPU and its call trace.
  package struct CPU: Sendable {
    /// Its registers and its task.
    package var state: CPUState
    /// The call trace, innermost first; empty in user space or if unknown.
    package var trace: [String]
  }

  /// A name and how often it occurs.
  package struct Count: Sendable {
    /// The name.
    package var name: String
    /// The number of occurrences.
    package var count: Int

    /// How often each of `names` occurs, in the order of the names.
    static func all(of names: [String]) -> [Count] {
      var counts: [String: Int] = [:]
      for name in names { counts[name, default: 0] += 1 }
      return counts.map { Count(name: $0.key, count: $0.value) }.sorted { $0.name < $1.name }
    }
  }

  /// Pages of the kernel's size.
  package struct Pages: Sendable {
    /// Readable ones.
    package var present: UInt64
    /// Those of the machine, as the dump describes it.
    package var total: UInt64
    /// Those left out when the dump was written.
    package var filtered: UInt64

    init(_ dump: DumpSummary, of size: UInt64) {
      present = dump.bytesPresent / size
      total = dump.bytesTotal / size
      filtered = dump.bytesFiltered / size
    }
  }

  /// The facts about the kernel.
  package let facts: KernelFacts
  /// A name that the same crash has on other machines and builds; nil if the log shows no crash.
  package internal(set) var signature: String?
  /// Why the kernel died; nil if the log shows no crash.
  package internal(set) var crash: Crash?
  /// The fault that the processor reported; nil without one.
  package internal(set) var fault: KernelFault?
  /// The taint of the kernel.
  package internal(set) var taint: Taint?
  /// The CPUs.
  package internal(set) var cpus: [CPU] = []
  /// Whether TTBRs have CnP set.
  package internal(set) var usesCnP: Bool?
  /// The number of loaded modules.
  package internal(set) var modules: Int?
  /// The number of tasks.
  package internal(set) var tasks: Int?
  /// The number of tasks in each state; nil if `tasks` is.
  package internal(set) var taskStates: [Count]?
  /// The stacks of the tasks that ran on a CPU and of those in uninterruptible sleep, at most `Limits.triageStacks`;
  /// nil if tasks cannot be listed.
  package internal(set) var stacks: [TaskStack]?
  /// The kernel's counts of hardware errors; nil if it keeps none.
  package internal(set) var hardwareErrors: HardwareErrors?
  /// The number of vmalloc areas.
  package internal(set) var vmallocAreas: Int?
  /// The size of their address ranges in bytes; nil if `vmallocAreas` is.
  package internal(set) var vmallocBytes: UInt64?
  /// The pages of the dump.
  package let pages: Pages
  /// The audit of the page tables.
  package let audit: AuditReport
  /// The number of its findings of each code.
  package var findingCodes: [Count] { Count.all(of: audit.findings.map(\.code.rawValue)) }
  /// The last messages of the log; nil if there are none.
  package internal(set) var lastMessages: ArraySlice<LogRecord>?
  /// What the reader should know before trusting the report.
  package internal(set) var warnings: [Diagnostic] = []
  /// What is unavailable, and why.
  package internal(set) var notes: [Diagnostic] = []

  init(_ facts: KernelFacts, _ dump: DumpSummary, _ audit: AuditReport) {
    self.facts = facts
    pages = Pages(dump, of: facts.granule.value.size)
    self.audit = audit
  }

  /// Adds the first few notes on `part`.
  mutating func note<Element>(_ part: String, _ listing: Listing<Element>) {
    notes += listing.notes.prefix(Limits.triageNotes).map { $0.explaining(part) }
    let rest = listing.notes.count - Limits.triageNotes
    if rest > 0 { notes.append(Diagnostic(.notesOmitted, part, "\(part): \(rest) more")) }
  }
}
