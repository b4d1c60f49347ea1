import Synchronization

/// How much many readers, on all threads, may spend together: bytes they keep, tables they read.
package final class Budget: Sendable {
  private let rest: Atomic<Int>

  /// A budget of `amount`.
  package init(_ amount: Int) { rest = Atomic(amount) }

  /// What is left; 0 once all is spent.
  package var left: Int { max(0, rest.load(ordering: .relaxed)) }

  /// Spends `amount`, whether it is left or not.
  ///
  /// - Returns: whether it was left.
  @discardableResult
  package func spend(_ amount: Int) -> Bool { rest.wrappingSubtract(amount, ordering: .relaxed).newValue >= 0 }
}
