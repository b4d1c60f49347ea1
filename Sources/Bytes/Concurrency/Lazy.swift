/// A value computed when it is first needed, once, by what was given to compute it.
@usableFromInline
package final class Lazy<Value: Sendable>: Sendable {
  @usableFromInline let once = AtomicOnce<Value>()
  @usableFromInline let compute: @Sendable () -> Value

  /// Computes the value with `compute`, which must not ask for it.
  package init(_ compute: @escaping @Sendable () -> Value) { self.compute = compute }

  /// The value. Callers that come while it is computed wait.
  @inlinable
  package var value: Value { once.value(compute) }
}
