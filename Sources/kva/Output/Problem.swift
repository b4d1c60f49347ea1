import KernelVA

/// What is wrong, as text for people and as an object for programs.
struct Problem: Error, CustomStringConvertible {
  /// What a program can tell problems apart by.
  enum Kind: String {
    /// Something that was asked for is not there.
    case notFound = "not-found"
    /// The request is no request.
    case badRequest = "bad-request"
    /// The request asks for what there is not: a command, an option, an argument.
    case usage
    /// A file cannot be opened or mapped.
    case system
    /// A file ends before what it announces.
    case truncated
    /// A file holds a value that cannot be.
    case malformed
    /// A file is of a kind that kva does not read.
    case unsupported
    /// Two files do not belong together.
    case mismatch
    /// A sound file lacks what the question needs.
    case missing
  }

  var kind: Kind
  /// The file that it is about, where it is about one.
  var file: String?
  /// Where in the file.
  var offset: UInt64?
  /// What is the matter, if more is known of it than its kind.
  var code: Diagnostic.Code?
  /// What is wrong and what to do, in one line.
  var message: String

  /// `FILE: MESSAGE (at offset 0x...)`, as far as there is of it.
  var description: String {
    (file.map { "\($0): " } ?? "") + message + (offset.map { " (at offset \(Words.hex($0)))" } ?? "")
  }
}

extension Problem {
  /// What is wrong with a file.
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
  /// A request that is none.
  static func badRequest(_ message: String) -> Problem { Problem(kind: .badRequest, message: message) }
  /// A request for what there is not.
  static func usage(_ message: String) -> Problem { Problem(kind: .usage, message: message) }
}
