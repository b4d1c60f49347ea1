import Glibc
import KernelVA
import Synchronization

/// The progress of a long scan, on standard error: only on a terminal, and only once it takes long.
final class Progress: Sendable {
  /// Scans that finish sooner show nothing.
  private static let delay = Duration.seconds(1)

  private let what: String
  private let total: UInt64
  private let begin = ContinuousClock.now
  private let done = Atomic<UInt64>(0)
  /// The percentage shown; it is written under its lock, so that a slower thread cannot show a lower one later.
  private let shown = Mutex<UInt64>(0)

  /// Shows the progress of a scan of all memory of `dump`; nil if standard error is not a terminal.
  init?(_ what: String, of dump: DumpFile) {
    guard isatty(STDERR_FILENO) == 1 else { return nil }
    self.what = what
    total = max(1, dump.memory.ranges.reduce(0) { $0 &+ ($1.upperBound.rawValue &- $1.lowerBound.rawValue) })
  }

  /// Records that `bytes` more were scanned.
  @Sendable func advance(_ bytes: UInt64) {
    let now = done.wrappingAdd(bytes, ordering: .relaxed).newValue
    guard begin.duration(to: .now) >= Self.delay else { return }
    shown.withLock { shown in
      // A second scan continues from the end of the first.
      let percent = min(now.multipliedReportingOverflow(by: 100).partialValue / total, 100)
      guard percent > shown else { return }
      shown = percent
      Diagnostics.write("\rkva: \(what): \(percent) %")
    }
  }

  /// Erases the line.
  func end() {
    shown.withLock { if $0 > 0 { Diagnostics.write("\r\u{1b}[K") } }
  }
}
