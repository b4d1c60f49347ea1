import Synchronization

/// Contexts for decompressing, lent to one caller at a time.
///
/// Safety: what makes a context unsafe to share is its state; the list of those that wait is reached under the lock
/// alone, and a context is used by whoever took it out, and by nobody else, until it is put back.
final class ContextPool: Sendable {
  private struct Idle: @unchecked Sendable {
    var contexts: [DecompressionContext] = []
  }

  private let idle = Mutex(Idle())

  /// Lends a context.
  func withContext<R>(_ body: (DecompressionContext) -> R) -> R {
    let context = idle.withLock { idle in idle.contexts.popLast() } ?? DecompressionContext()
    defer { idle.withLock { idle in idle.contexts.append(context) } }
    return body(context)
  }
}
