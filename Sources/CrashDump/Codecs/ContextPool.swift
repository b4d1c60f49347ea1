import Synchronization

/// A pool of worker contexts, each lent to one caller at a time and reused.
///
/// Safety: a context is unsafe to share because of its state; the list of idle ones is accessed only under the lock,
/// and a context is used only by the caller that took it until it is put back.
final class ContextPool<Context: AnyObject>: Sendable {
  private struct Idle: @unchecked Sendable {
    var contexts: [Context] = []
  }

  private let idle = Mutex(Idle())
  private let make: @Sendable () -> Context

  /// A pool of contexts that `make` creates.
  init(_ make: @escaping @Sendable () -> Context) { self.make = make }

  /// Lends a context.
  func withContext<R>(_ body: (Context) -> R) -> R {
    let context = idle.withLock { idle in idle.contexts.popLast() } ?? make()
    defer { idle.withLock { idle in idle.contexts.append(context) } }
    return body(context)
  }
}
