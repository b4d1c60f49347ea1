/// A stack of the kernel.
public struct KernelStack: Hashable, Sendable {
  /// What it serves.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// A task's own.
    case task
    /// Interrupts of a CPU.
    case irq
    /// What a CPU falls back to when a stack has no room left.
    case overflow
    /// Software-delegated exceptions of normal priority.
    case sdeiNormal = "sdei-normal"
    /// Software-delegated exceptions of critical priority.
    case sdeiCritical = "sdei-critical"
  }

  /// What it serves.
  public let kind: Kind
  /// The lowest address.
  public let start: UInt64
  /// The address behind the highest: where the stack begins to grow down from.
  public let end: UInt64
  /// The CPU that it belongs to; nil for a task's.
  public let cpu: Int?

  /// Whether a frame record fits at `address`.
  func holdsRecord(at address: UInt64) -> Bool {
    address >= start && address < end && end - address >= 16
  }

  /// Whether `address` is on it; a stack pointer may also be at its end.
  func contains(_ address: UInt64) -> Bool { address >= start && address < end }
}
