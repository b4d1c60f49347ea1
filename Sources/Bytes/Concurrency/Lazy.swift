import Synchronization

/// A value that is made when it is first asked for, once.
package final class Lazy<Value: Sendable>: Sendable {
  private let once = Once<Value>()
  private let make: @Sendable () -> Value

  package init(_ make: @escaping @Sendable () -> Value) { self.make = make }

  /// The value. Who asks while another makes it waits.
  package var value: Value { once.value(make) }
}

/// A value that who asks first makes.
package final class Once<Value: Sendable>: Sendable {
  private let state = Mutex<Value?>(nil)

  package init() {}

  /// The value. Who asks while another makes it waits.
  package func value(_ make: () -> Value) -> Value {
    state.withLock { state in
      if let value = state { return value }
      let value = make()
      state = value
      return value
    }
  }
}
