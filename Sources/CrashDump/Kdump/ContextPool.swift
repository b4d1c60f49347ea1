import Synchronization

/// What a thread at work needs and is kept from piece to piece, lent to one caller at a time.
///
/// Safety: what makes a context unsafe to share is its state; the list of those that wait is reached under the lock
/// alone, and a context is used by whoever took it out, and by nobody else, until it is put back.
final class ContextPool<Context: AnyObject>: Sendable {
  private struct Idle: @unchecked Sendable {
    var contexts: [Context] = []
  }

  private let idle = Mutex(Idle())
  private let make: @Sendable () -> Context

  /// Lends what `make` makes.
  init(_ make: @escaping @Sendable () -> Context) { self.make = make }

  /// Lends a context.
  func withContext<R>(_ body: (Context) -> R) -> R {
    let context = idle.withLock { idle in idle.contexts.popLast() } ?? make()
    defer { idle.withLock { idle in idle.contexts.append(context) } }
    return body(context)
  }
}
