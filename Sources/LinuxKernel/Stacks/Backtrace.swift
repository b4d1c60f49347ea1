import Bytes

/// The chain of frames on a task's stacks.
package struct Backtrace: Sendable {
  /// How a chain ends.
  package enum End: String, Sendable {
    /// At the entry from user space.
    case user
    /// At the kernel's final record.
    case final
    /// Before its end: damaged, or not in the dump.
    case broken
  }

  /// The innermost frame first.
  package internal(set) var frames: [StackFrame] = []
  /// How it ends.
  package internal(set) var end: End = .broken
  /// Why it is broken; nil if it is not.
  package internal(set) var message: Diagnostic?
  /// The registers of user space, if the task came from there.
  package internal(set) var user: SavedRegisters?
  /// The registers of each exception on the way, the innermost first.
  package internal(set) var exceptions: [SavedRegisters] = []
  /// The addresses of the frame records, by which stack addresses are assigned to frames.
  var records: [UInt64] = []
}
