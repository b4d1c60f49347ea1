import Synchronization

/// A value computed once, by the first caller, and read by any thread without a lock from then on.
///
/// Safety: the box that is stored is retained until this goes away, and never exchanged for another; so what a load
/// returns lives as long as this object.
///
/// The compiler specialises it for other modules only as `@usableFromInline`; unspecialised, each read costs two
/// thousand instructions.
@safe @usableFromInline
package struct AtomicOnce<Value: Sendable>: ~Copyable, Sendable {
  @usableFromInline
  final class Box: Sendable {
    @usableFromInline let value: Value
    init(_ value: Value) { self.value = value }
  }

  @usableFromInline let storage = unsafe Atomic<Unmanaged<Box>?>(nil)
  private let computing = Mutex(())

  /// Holds no value yet.
  package init() {}

  deinit { unsafe storage.load(ordering: .acquiring)?.release() }

  /// The value; nil until it was computed.
  @inlinable @inline(__always)
  package var value: Value? { unsafe storage.load(ordering: .acquiring)?.takeUnretainedValue().value }

  /// The value, from `compute` for the first caller. Callers that come while it is computed wait; `compute` must not
  /// ask for the value itself.
  @inlinable
  package func value(_ compute: () -> Value) -> Value { value ?? first(compute) }

  @usableFromInline
  func first(_ compute: () -> Value) -> Value {
    computing.withLock { _ in
      if let value { return value }
      let box = Box(compute())
      unsafe storage.store(Unmanaged.passRetained(box), ordering: .releasing)
      return box.value
    }
  }
}
