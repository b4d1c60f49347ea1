/// Why a kernel died, according to its log.
///
/// The kernel announces a death in several ways, often one after another: an unhandled exception, the `Internal error:`
/// line of `die()`, a BUG, a lockup, and finally `Kernel panic - not syncing`. Of those that belong together, the first
/// says most. (arch/arm64/mm/fault.c, `die_kernel_fault`; arch/arm64/kernel/traps.c, `die`; kernel/panic.c; lib/bug.c;
/// kernel/watchdog.c; kernel/hung_task.c; drivers/tty/sysrq.c)
public struct CrashReason: Sendable {
  /// The kind of crash.
  public enum Kind: String, Sendable {
    /// A call of panic() for any other reason.
    case panic
    /// An exception in the kernel that it could not handle.
    case oops
    /// A BUG() or an assertion of a checker such as KASAN.
    case bug
    /// A CPU or a task that made no progress.
    case lockup
    /// A WARN() with panic_on_warn.
    case warning
    /// A SysRq request.
    case sysrq
  }

  /// The kind of crash.
  public let kind: Kind
  /// The line of the log that says most.
  public let text: String
  /// What came after `Kernel panic - not syncing: `; nil if there was no panic.
  public let panic: String?
  /// The time of that line, in nanoseconds since boot.
  public let timestamp: UInt64
  /// The CPU, if the log has it.
  public let cpu: Int?
  /// The task's PID, if the log has it.
  public let pid: Int?
  /// Its name, if the log has it.
  public let comm: String?
  /// Where the CPU was, as `%pS` prints it: `symbol+0xoff/0xsize [module]`; nil if the log does not have it.
  public let pc: String?
  /// The kernel's taint at the time, if the log has it.
  public let taint: Taint?
  /// The call trace of the log, innermost first.
  public let trace: [String]
  /// The program counter and the call trace, if the log has them.
  let callTrace: [LoggedPlace]

  /// A code location in the log.
  struct LoggedPlace: Hashable, Sendable {
    /// `symbol+0xoff/0xsize [module]`.
    var text: String
    /// Whether it is a return address.
    var isReturn: Bool
  }
  /// The contents of its oops.
  let oops: OopsText

  /// Searches `records` for a crash; nil if they show none.
  package init?(_ records: [LogRecord]) {
    let lines = records.flatMap { record in
      record.text.split(separator: "\n").map { Line(text: $0, record: record) }
    }
    let events = lines.indices.compactMap { index in Event(lines[index].text, at: index) }
    let panic = events.first { $0.kind == .panic }
    guard let last = panic ?? events.last(where: { $0.kind != .warning && $0.kind != .sysrq }) else { return nil }
    let before = events.prefix { $0.index < last.index }
    var cause = last
    var kind = last.kind
    if kind == .panic {
      let message = lines[last.index].text
      if message.contains("sysrq triggered crash") {
        kind = .sysrq
      } else if Self.isConsequence(message) {
        let wanted = message.contains("panic_on_warn")
        cause = before.last { ($0.kind == .warning) == wanted && $0.kind != .sysrq } ?? last
        kind = cause.kind
      }
    }
    // `Internal error:` follows the line that says what went wrong, with nothing of another crash between them.
    if cause.isDie, let head = before.last(where: { $0.index < cause.index }),
      head.kind == .oops || head.kind == .bug, cause.index - head.index <= 16, !head.isDie
    {
      cause = head
      kind = head.kind
    }
    // Until 5.x sysrq-c wrote to address 0.
    if kind == .oops, let asked = before.last(where: { $0.index < cause.index }), asked.kind == .sysrq,
      cause.index - asked.index <= 4
    {
      kind = .sysrq
    }
    self.kind = kind
    text = String(lines[cause.index].text)
    self.panic = panic.map { String(lines[$0.index].text.dropFirst(Event.panicPrefix.count)) }
    timestamp = lines[cause.index].record.timestamp
    let details = Details(lines[cause.index...].prefix(Self.linesOfDeath).map(\.text))
    let caller = lines[cause.index].record.caller
    cpu = details.cpu ?? caller.flatMap { $0.hasPrefix("C") ? Int($0.dropFirst()) : nil }
    pid = details.pid ?? caller.flatMap { $0.hasPrefix("T") ? Int($0.dropFirst()) : nil }
    comm = details.comm
    pc = details.pc
    taint = details.taint
    trace = details.trace.map(\.text)
    let isWhole = details.pc == nil || trace.first == details.pc
    callTrace =
      (isWhole ? [] : [details.pc].compactMap { $0.map { LoggedPlace(text: $0, isReturn: false) } }) + details.trace
    // A stack overflow is announced before the panic that it causes.
    let announced = before.last.flatMap {
      $0.kind == .oops && cause.kind == .panic && cause.index - $0.index <= 64 ? $0 : nil
    }
    oops = OopsText(lines[(announced ?? cause).index...].prefix(Self.linesOfDeath).map(\.text)[...])
  }

  /// The most lines from the announcement to the end of the call trace.
  private static let linesOfDeath = 256

  /// Whether a panic message only reports that an earlier event was fatal.
  private static func isConsequence(_ message: Substring) -> Bool {
    [
      "Fatal exception", "panic_on_warn set", "panic_on_kasan", "kasan.fault=panic", "softlockup: hung tasks",
      "hung_task: blocked tasks", "Hard LOCKUP", "RCU Stall", "Attempted to kill init", "BUG: panic_on",
    ].contains { message.contains($0) }
  }
}

/// A line of the log.
private struct Line {
  var text: Substring
  var record: LogRecord
}

/// A line that announces a crash.
private struct Event {
  static let panicPrefix = "Kernel panic - not syncing: "

  var kind: CrashReason.Kind
  var index: Int
  /// Whether it is the line of `die()`.
  var isDie: Bool { dies }
  private var dies = false

  init?(_ text: Substring, at index: Int) {
    guard let first = Self.beginnings.first(where: { text.hasPrefix($0.text) }) else { return nil }
    // Of the lines that start so, only `blocked for more than` reports a hung task.
    if first.text == "INFO: task ", !text.contains("blocked for more than") { return nil }
    kind = first.kind
    self.index = index
    dies = first.text == "Internal error: "
  }

  /// The beginnings of such lines; the spelling changed over time.
  private static let beginnings: [(text: String, kind: CrashReason.Kind)] = [
    (panicPrefix, .panic), ("Unable to handle kernel ", .oops), ("Internal error: ", .oops),
    ("Unhandled fault", .oops), ("Unhandled prefetch abort", .oops), ("Bad mode in ", .oops),
    ("SError Interrupt on ", .oops), ("Unexpected kernel BRK exception", .oops), ("kernel BUG at ", .bug),
    ("Insufficient stack space to handle exception!", .oops), ("Kernel stack overflow", .oops),
    ("watchdog: BUG: soft lockup", .lockup), ("NMI watchdog: BUG: soft lockup", .lockup), ("BUG: soft lockup", .lockup),
    ("watchdog: Watchdog detected hard LOCKUP", .lockup), ("Watchdog detected hard LOCKUP", .lockup),
    ("INFO: task ", .lockup), ("rcu: INFO: ", .lockup), ("INFO: rcu", .lockup), ("BUG: workqueue lockup", .lockup),
    ("BUG: ", .bug), ("WARNING: ", .warning), ("sysrq: Trigger a crash", .sysrq),
    ("sysrq: SysRq : Trigger a crash", .sysrq), ("SysRq : Trigger a crash", .sysrq),
  ]
}

/// The details in the lines after the announcement.
private struct Details {
  var cpu: Int?
  var pid: Int?
  var comm: String?
  var pc: String?
  var taint: Taint?
  var trace: [CrashReason.LoggedPlace] = []

  init(_ lines: [Substring]) {
    var inTrace = false
    for line in lines {
      // "CPU: 0 PID: 1 Comm: bash Not tainted 6.1", with "UID: 0" between since 6.12.
      if cpu == nil, line.hasPrefix("CPU: ") {
        let words = line.split(separator: " ")
        cpu = Self.number(after: "CPU:", words)
        pid = Self.number(after: "PID:", words)
        comm = Self.comm(line)
        taint = Taint(line)
      }
      if pc == nil {
        for prefix in ["pc : ", "PC is at "] where line.hasPrefix(prefix) {
          pc = Self.place(line.dropFirst(prefix.count))
        }
      }
      if line.hasPrefix("Call trace:") {
        guard trace.isEmpty else { return }
        inTrace = true
      } else if inTrace {
        guard let place = Self.place(line), trace.count < 64 else { return }
        trace.append(CrashReason.LoggedPlace(text: place, isReturn: isReturn(line)))
      }
      if line.hasPrefix("---[ end ") { return }
    }
  }

  /// Whether the next line of the trace is a return address. The first is where the trace began; exception entry
  /// precedes the place that it interrupted, which is marked since 6.13 (c2c6b27b5aa1).
  private func isReturn(_ line: Substring) -> Bool {
    guard let last = trace.last else { return false }
    let isMarked = line.split(separator: " ").last.map { $0.hasPrefix("(") && $0.contains("P") } ?? false
    return !isMarked && !last.text.hasPrefix("el1")
  }

  private static func number(after word: String, _ words: [Substring]) -> Int? {
    guard let at = words.firstIndex(where: { $0 == word }), at + 1 < words.count else { return nil }
    return Int(words[at + 1])
  }

  /// A name may contain blanks; the text that follows it is fixed.
  private static func comm(_ line: Substring) -> String? {
    guard let start = line.firstRange(of: "Comm: ") else { return nil }
    let rest = line[start.upperBound...]
    let end = rest.firstRange(of: " Not tainted") ?? rest.firstRange(of: " Tainted: ")
    return end.map { String(rest[..<$0.lowerBound]) }
  }

  /// `symbol+0xoff/0xsize [module]`, without the address before it that kernels before 4.13 print, or the letters after
  /// it that kernels since 6.13 print; nil if there is none.
  private static func place(_ line: Substring) -> String? {
    var words = line.split(separator: " ")
    if words.first?.hasPrefix("[<") ?? false { words.removeFirst() }
    guard let symbol = words.first, symbol.contains("+0x"), symbol.contains("/0x") else { return nil }
    let module = words.dropFirst().first { $0.hasPrefix("[") && $0.hasSuffix("]") }
    return module.map { "\(symbol) \($0)" } ?? String(symbol)
  }
}
