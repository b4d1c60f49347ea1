/// A step of a backtrace.
public struct StackFrame: Hashable, Sendable {
  /// How it was found.
  public enum Kind: String, Hashable, Sendable {
    /// Where a call returns to.
    case call
    /// Where an exception interrupted the code, or where a CPU stood: the exact address.
    case interrupted
    /// x30 of interrupted code that had not stored it: its caller, if it was a leaf. Not part of the chain.
    case link
    /// Where a call returns to whose return address ftrace or a kretprobe had replaced.
    case trampoline
    /// A word of the stack that looks like a return address.
    case scanned
  }

  /// The address, its pointer authentication code removed.
  public let pc: UInt64
  /// How it was found.
  public let kind: Kind
  /// The stack pointer of the frame, which is where its own frame record is; nil if unknown.
  public let sp: UInt64?
  /// The stack that it is on; nil for a frame of no stack, as of a CPU that just entered the kernel.
  package let stack: KernelStack.Kind?

  /// The address to name it by: a call's own instruction, since what is after a call that does not return belongs to
  /// another function.
  package var symbolAddress: UInt64 {
    switch kind {
    case .call, .link, .trampoline, .scanned: pc &- 1
    case .interrupted: pc
    }
  }
}
