import Bytes
import CrashDump

/// What triage needs to know about a kernel in a dump. Each part that cannot be had is nil, and a note says why.
package struct TriageReport: Sendable {
  /// How the kernel died.
  package struct Crash: Sendable {
    /// What the log says of it.
    package var reason: CrashReason
    /// The CPU that died.
    package var cpu: Int?
    /// The PID of the task it ran.
    package var pid: Int?
    /// The name of that task.
    package var comm: String?
    /// Where it was and how it came there, the innermost call first, as `%pS` prints them.
    package var trace: [String] = []
    /// What the trace is from; nil if there is none.
    package var traceSource: TraceSource?
  }

  /// What a call trace is from.
  package enum TraceSource: String, Sendable {
    /// The kernel's log.
    case log
    /// The frame records of the stopped CPU.
    case registers
  }

  /// A CPU and where it was.
  package struct CPU: Sendable {
    /// Its registers and its task.
    package var state: CPUState
    /// Where it was and how it came there, the innermost call first; empty in user space and if unknown.
    package var trace: [String]
  }

  /// How often something was found.
  package struct Count: Sendable {
    /// What was found.
    package var name: String
    /// How often.
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
    /// Those that can be read.
    package var present: UInt64
    /// Those of the machine, as far as the dump shows.
    package var total: UInt64
    /// Those left out when the dump was written.
    package var filtered: UInt64

    init(_ dump: DumpSummary, of size: UInt64) {
      present = dump.bytesPresent / size
      total = dump.bytesTotal / size
      filtered = dump.bytesFiltered / size
    }
  }

  /// What is known of the kernel.
  package let facts: KernelFacts
  /// A name that the same crash has on other machines and builds; nil if the log shows no crash.
  package internal(set) var signature: String?
  /// Why the kernel died; nil if the log shows no crash.
  package internal(set) var crash: Crash?
  /// What the processor reported; nil without a fault.
  package internal(set) var fault: KernelFault?
  /// The taint of the kernel.
  package internal(set) var taint: Taint?
  /// The CPUs.
  package internal(set) var cpus: [CPU] = []
  /// Whether TTBRs have CnP set.
  package internal(set) var usesCnP: Bool?
  /// How many modules are loaded.
  package internal(set) var modules: Int?
  /// How many tasks there are.
  package internal(set) var tasks: Int?
  /// How many are in each state; nil with `tasks`.
  package internal(set) var taskStates: [Count]?
  /// Where the tasks are that ran on a CPU, and those in uninterruptible sleep, `Limits.triageStacks` at most; nil if
  /// tasks cannot be listed.
  package internal(set) var stacks: [TaskStack]?
  /// Hardware errors that the kernel counted; nil if it counts none.
  package internal(set) var hardwareErrors: HardwareErrors?
  /// How many areas of vmalloc space there are.
  package internal(set) var vmallocAreas: Int?
  /// Bytes of their addresses; nil with `vmallocAreas`.
  package internal(set) var vmallocBytes: UInt64?
  /// The pages of the dump.
  package let pages: Pages
  /// What the audit of the tables found.
  package let audit: AuditReport
  /// How many findings of each code it has.
  package var findingCodes: [Count] { Count.all(of: audit.findings.map(\.code.rawValue)) }
  /// The last messages of the log; nil if there are none.
  package internal(set) var lastMessages: ArraySlice<LogRecord>?
  /// What to know before trusting the report.
  package internal(set) var warnings: [Diagnostic] = []
  /// What could not be had, and why.
  package internal(set) var notes: [Diagnostic] = []

  init(_ facts: KernelFacts, _ dump: DumpSummary, _ audit: AuditReport) {
    self.facts = facts
    pages = Pages(dump, of: facts.granule.value.size)
    self.audit = audit
  }

  /// Adds the notes on `part`, a few of them.
  mutating func note<Element>(_ part: String, _ listing: Listing<Element>) {
    notes += listing.notes.prefix(Limits.triageNotes).map { $0.explaining(part) }
    let rest = listing.notes.count - Limits.triageNotes
    if rest > 0 { notes.append(Diagnostic(.notesOmitted, part, "\(part): \(rest) more")) }
  }
}
