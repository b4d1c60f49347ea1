import Glibc
import KernelVA
import Synchronization

/// How far a long scan has come, on standard error: on a terminal only.
final class Progress: Sendable {
  private let what: String
  private let total: UInt64
  private let done = Atomic<UInt64>(0)
  private let shown = Atomic<UInt64>(0)

  /// Shows the progress of a scan of all memory of `dump`; nil where standard error is no terminal.
  init?(_ what: String, of dump: DumpFile) {
    guard isatty(STDERR_FILENO) == 1 else { return nil }
    self.what = what
    total = max(1, dump.memory.ranges.reduce(0) { $0 &+ ($1.upperBound.rawValue &- $1.lowerBound.rawValue) })
  }

  /// Notes that `bytes` more were looked at.
  @Sendable func advance(_ bytes: UInt64) {
    let percent = min(done.wrappingAdd(bytes, ordering: .relaxed).newValue &* 100 / total, 100)
    // Only the thread that moves the figure on writes it.
    let before = shown.load(ordering: .relaxed)
    guard percent > before,
      shown.compareExchange(expected: before, desired: percent, ordering: .relaxed).exchanged
    else { return }
    Diagnostics.write("\rkva: \(what): \(percent) %")
  }

  /// Takes the line away.
  func end() {
    if shown.load(ordering: .relaxed) > 0 { Diagnostics.write("\r\u{1b}[K") }
  }
}
