/// A value computed once, when it is first needed.
@usableFromInline
package final class Lazy<Value: Sendable>: Sendable {
  @usableFromInline let once = AtomicOnce<Value>()
  @usableFromInline let compute: @Sendable () -> Value

  /// Computes the value with `compute`, which must not use the value itself.
  package init(_ compute: @escaping @Sendable () -> Value) { self.compute = compute }

  /// The value. Callers that come while it is computed wait.
  @inlinable
  package var value: Value { once.value(compute) }
}
