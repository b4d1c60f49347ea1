/// A value and where it was learnt.
public struct Sourced<Value: Sendable>: Sendable {
  /// The value.
  public let value: Value
  /// Its source in words, such as "VMCOREINFO NUMBER(VA_BITS)".
  public let source: String
  /// Joins a value with its source.
  public init(_ value: Value, _ source: String) {
    self.value = value
    self.source = source
  }
}

extension Sourced: Equatable where Value: Equatable {}

extension Sourced {
  /// Whether the user gave it instead of what the dump says.
  var isOverride: Bool { source.hasPrefix("--") }
}
