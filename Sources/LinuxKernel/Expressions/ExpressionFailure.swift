import Bytes

/// Why an expression or a type name cannot be evaluated.
public struct ExpressionFailure: Error, Hashable, Sendable {
  /// What is wrong.
  public let diagnostic: Diagnostic
  /// What is wrong, in one line.
  package var message: String { diagnostic.text }
  /// The part of the text that is wrong, in UTF-8 bytes; nil if it is the whole.
  public internal(set) var range: Range<Int>?

  /// Fails with a diagnostic.
  package init(_ diagnostic: Diagnostic, at range: Range<Int>? = nil) {
    self.diagnostic = diagnostic
    self.range = range
  }

  /// Fails with a message about the text.
  package init(_ message: String, at range: Range<Int>? = nil) {
    self.init(Diagnostic(.expressionInvalid, message), at: range)
  }
}
