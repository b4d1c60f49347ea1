/// A kernel stack.
package struct KernelStack: Hashable, Sendable {
  /// Its purpose.
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    /// A task's own.
    case task
    /// A CPU's interrupts.
    case irq
    /// A CPU's fallback when a stack overflows.
    case overflow
    /// Software-delegated exceptions of normal priority.
    case sdeiNormal = "sdei-normal"
    /// Software-delegated exceptions of critical priority.
    case sdeiCritical = "sdei-critical"
    /// Calls of EFI runtime services.
    case efi
    /// KVM's code at EL2, without VHE.
    case hyp
    /// A shadow call stack: return addresses of a task or a CPU, separate from its frame records.
    case shadow
  }

  /// Its purpose.
  package let kind: Kind
  /// The lowest address.
  package let start: UInt64
  /// The address after the highest, from which the stack grows down.
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
