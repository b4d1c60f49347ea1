/// A stack of the kernel.
package struct KernelStack: Hashable, Sendable {
  /// What it serves.
  package enum Kind: String, Hashable, Sendable, CaseIterable {
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
    /// Calls of EFI runtime services.
    case efi
    /// KVM's code at EL2, without VHE.
    case hyp
    /// Return addresses of a task or a CPU, apart from their frame records.
    case shadow
  }

  /// What it serves.
  package let kind: Kind
  /// The lowest address.
  package let start: UInt64
  /// The address after the highest: where the stack begins to grow down from.
  package let end: UInt64
  /// The CPU that it belongs to; nil for a task's.
  package let cpu: Int?

  /// Whether it is for events that the firmware delivers (SDEI).
  var isDelegated: Bool { kind == .sdeiNormal || kind == .sdeiCritical }

  /// Whether a frame record fits at `address`.
  func holdsRecord(at address: UInt64) -> Bool {
    address >= start && address < end && end - address >= 16
  }

  /// Whether `address` is on it; a stack pointer may also be at its end.
  func contains(_ address: UInt64) -> Bool { address >= start && address < end }
}
