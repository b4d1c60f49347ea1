import Bytes

/// The chain of frames on the stacks of a task.
package struct Backtrace: Sendable {
  /// How a chain ends.
  package enum End: String, Sendable {
    /// At the entry from user space.
    case user
    /// Where the kernel ends it.
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
  /// Where the frame records are, for the addresses of a stack to be told by their frame.
  var records: [UInt64] = []
}
