import Synchronization

/// A reference to an object that is set once and from then on had by any thread without a lock.
///
/// It is what AtomicLazyReference is, in a form that the compiler specialises: a load is a few instructions.
///
/// Safety: a reference that was stored is held until this goes away, and never exchanged for another; so what a load
/// gives is alive as long as this is.
@safe
public struct OnceReference<Value: AnyObject & Sendable>: ~Copyable, Sendable {
  @usableFromInline let storage = unsafe Atomic<Unmanaged<Value>?>(nil)

  /// Refers to nothing.
  @inlinable public init() {}

  @inlinable
  deinit { unsafe storage.load(ordering: .acquiring)?.release() }

  /// The object; nil before one was set.
  @inlinable @inline(__always)
  public func load() -> Value? { unsafe storage.load(ordering: .acquiring)?.takeUnretainedValue() }

  /// Sets the object if none was set yet.
  ///
  /// - Returns: the one that is set now.
  @inlinable
  public func storeIfNil(_ value: Value) -> Value {
    let mine = unsafe Unmanaged.passRetained(value)
    let (isMine, other) = unsafe storage.compareExchange(expected: nil, desired: mine, ordering: .acquiringAndReleasing)
    if isMine { return value }
    unsafe mine.release()
    return unsafe other?.takeUnretainedValue() ?? value
  }
}
