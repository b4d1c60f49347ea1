import Bytes

/// Why an expression, or the name of a type, has no value.
package struct ExpressionFailure: Error, Hashable, Sendable {
  /// What is wrong.
  package let diagnostic: Diagnostic
  /// What is wrong, in one line.
  package var message: String { diagnostic.text }
  /// The part of the text that is wrong, in UTF-8 bytes; nil if it is the whole.
  package var range: Range<Int>?

  /// Says what is the matter.
  package init(_ diagnostic: Diagnostic, at range: Range<Int>? = nil) {
    self.diagnostic = diagnostic
    self.range = range
  }

  /// Says what is wrong with the text.
  package init(_ message: String, at range: Range<Int>? = nil) {
    self.init(Diagnostic(.expressionInvalid, message), at: range)
  }
}
