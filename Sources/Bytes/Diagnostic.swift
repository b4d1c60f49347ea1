/// A remark on an answer: something is missing, wrong or doubtful.
///
/// Programs tell diagnostics apart by the code, which stays the same; the text is for people and may change.
public struct Diagnostic: Hashable, Sendable, CustomStringConvertible {
  /// The kind of problem.
  public let code: Code
  /// What it is about, such as a symbol, a type, a line of VMCOREINFO or a list; nil if the code says everything.
  public let subject: String?
  /// What is wrong, in one line without a full stop.
  public let text: String

  /// Describes a problem with `subject`.
  package init(_ code: Code, _ subject: String?, _ text: String) {
    self.code = code
    self.subject = subject
    self.text = text
  }

  /// Describes a problem without a subject.
  package init(_ code: Code, _ text: String) { self.init(code, nil, text) }

  /// The text.
  public var description: String { text }

  /// The same problem as the cause of another, which `words` name: `WORDS: TEXT`.
  package func explaining(_ words: String) -> Diagnostic { Diagnostic(code, subject, "\(words): \(text)") }
}
