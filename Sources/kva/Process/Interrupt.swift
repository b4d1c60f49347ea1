import Glibc
import Synchronization

/// Ctrl-C while a command of the shell runs: its output ends, and the shell continues. A second one ends the process,
/// as a first one does everywhere else.
enum Interrupt {
  private static let pending = Atomic<Bool>(false)

  /// Whether there was one since `arm`.
  static var isPending: Bool { pending.load(ordering: .relaxed) }

  /// From now on the next one is recorded.
  static func arm() {
    // Written before the handler can run.
    pending.store(false, ordering: .sequentiallyConsistent)
    SignalHandler.call({ _ in Interrupt.pending.store(true, ordering: .relaxed) }, on: SIGINT, once: true)
  }

  /// From now on they are left to the program that kva writes to.
  static func leaveToOthers() {
    pending.store(false, ordering: .sequentiallyConsistent)
    signal(SIGINT, SIG_IGN)
  }
}
