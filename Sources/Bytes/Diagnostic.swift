/// What to know about an answer: something is missing, wrong or doubtful.
///
/// Programs tell diagnostics apart by the code, which stays the same; the text is for people and may change.
public struct Diagnostic: Hashable, Sendable, CustomStringConvertible {
  /// What is the matter.
  public let code: Code
  /// What it is about, such as a symbol, a type, a line of VMCOREINFO or a list; nil if the code says it all.
  public let subject: String?
  /// What is wrong, in one line without a full stop.
  public let text: String

  /// Describes what is the matter with `subject`.
  package init(_ code: Code, _ subject: String?, _ text: String) {
    self.code = code
    self.subject = subject
    self.text = text
  }

  /// Describes what is the matter.
  package init(_ code: Code, _ text: String) { self.init(code, nil, text) }

  /// The text.
  public var description: String { text }

  /// The same as the reason for something else, which `words` say: `WORDS: TEXT`.
  package func explaining(_ words: String) -> Diagnostic { Diagnostic(code, subject, "\(words): \(text)") }
}
