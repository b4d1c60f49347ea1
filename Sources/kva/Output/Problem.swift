import KernelVA

/// A problem, as text for people and as an object for programs.
struct Problem: Error, CustomStringConvertible {
  /// The kind of problem, for programs.
  enum Kind: String {
    /// Something requested does not exist.
    case notFound = "not-found"
    /// The request is malformed.
    case badRequest = "bad-request"
    /// The request names an unknown command or option, or an invalid argument.
    case usage
    /// A file cannot be opened or mapped.
    case system
    /// A file ends before what it announces.
    case truncated
    /// A file has an impossible value.
    case malformed
    /// A file is of a kind that kva does not read.
    case unsupported
    /// Two files do not belong together.
    case mismatch
    /// A sound file lacks something that is needed.
    case missing
  }

  var kind: Kind
  /// The file concerned, if there is one.
  var file: String?
  /// The offset in the file.
  var offset: UInt64?
  /// The diagnostic code, if there is one that says more than the kind.
  var code: Diagnostic.Code?
  /// What is wrong and what to do, in one line.
  var message: String

  /// `FILE: MESSAGE (at offset 0x...)`, without the parts that are unknown.
  var description: String {
    (file.map { "\($0): " } ?? "") + message + (offset.map { " (at offset \(Words.hex($0)))" } ?? "")
  }
}

extension Problem {
  /// A problem with a file.
  init(_ error: LocatedError) {
    let kind: Kind =
      switch error.kind {
      case .system: .system
      case .truncated: .truncated
      case .malformed: .malformed
      case .unsupported: .unsupported
      case .mismatch: .mismatch
      case .missing: .missing
      }
    self.init(
      kind: kind, file: error.file, offset: error.offset, code: error.code,
      message: [error.message, error.code?.advice].compactMap(\.self).joined(separator: "; "))
  }
}

extension Problem {
  /// A malformed request.
  static func badRequest(_ message: String) -> Problem { Problem(kind: .badRequest, message: message) }
  /// A request for something unknown.
  static func usage(_ message: String) -> Problem { Problem(kind: .usage, message: message) }
}
