/// Why a file cannot be used, and where in it the problem is.
///
/// Its text is one line: what is wrong, and at which offset.
public struct LocatedError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kind of problem, for callers that act on it.
  public enum Kind: Hashable, Sendable {
    /// The file cannot be opened or mapped; `errno` of the system call.
    case system(Int32)
    /// The file ends before what it announces.
    case truncated
    /// A field has an impossible value.
    case malformed
    /// A well-formed file of a kind that kva does not read.
    case unsupported
    /// Two files do not belong together, such as a vmlinux and a dump of another kernel.
    case mismatch
    /// The file is sound but lacks something that is needed.
    case missing
  }

  /// The path as the user gave it.
  public let file: String
  /// The offset in the file, in bytes, of the problem; nil if it concerns the file as a whole.
  public let offset: UInt64?
  /// The kind of problem.
  public let kind: Kind
  /// The diagnostic code, if there is one that says more than the kind.
  public let code: Diagnostic.Code?
  /// What is wrong: one line, without a full stop.
  public let message: String

  /// Describes a problem in `file`.
  package init(file: String, offset: UInt64? = nil, kind: Kind, code: Diagnostic.Code? = nil, _ message: String) {
    self.file = file
    self.offset = offset
    self.kind = kind
    self.code = code
    self.message = message
  }

  /// `FILE: MESSAGE (at offset 0x...)`.
  public var description: String {
    guard let offset else { return "\(file): \(message)" }
    return "\(file): \(message) (at offset \(hex(offset)))"
  }
}
