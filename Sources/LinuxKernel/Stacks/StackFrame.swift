/// A step of a backtrace.
public struct StackFrame: Hashable, Sendable {
  /// How it was found.
  public enum Kind: String, Hashable, Sendable {
    /// A return address.
    case call
    /// The exact address where an exception interrupted the code, or where a CPU stopped.
    case interrupted
    /// x30 of interrupted code that had not saved it: its caller, if it was a leaf. Not part of the chain.
    case link
    /// The original return address that ftrace or a kretprobe had replaced.
    case trampoline
    /// A word of the stack that looks like a return address.
    case scanned
  }

  /// The address, its pointer authentication code removed.
  public let pc: UInt64
  /// How it was found.
  public let kind: Kind
  /// The frame's stack pointer, the address of its own frame record; nil if unknown.
  public let sp: UInt64?
  /// The stack that it is on; nil for a frame on none, such as that of a CPU that just entered the kernel.
  package let stack: KernelStack.Kind?

  /// The address to symbolise: the call instruction itself, since the code after a call that does not return belongs to
  /// another function.
  package var symbolAddress: UInt64 {
    switch kind {
    case .call, .link, .trampoline, .scanned: pc &- 1
    case .interrupted: pc
    }
  }
}
