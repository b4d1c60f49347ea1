import Synchronization

/// How many bytes many readers may keep together.
public final class ByteBudget: Sendable {
  private let left: Atomic<Int>

  /// Allows `bytes`.
  public init(_ bytes: Int) { left = Atomic(bytes) }

  /// Takes `bytes`; false where there are not as many left.
  public func take(_ bytes: Int) -> Bool {
    left.wrappingSubtract(bytes, ordering: .relaxed).newValue >= 0
  }
}
