/// Why an expression, or the name of a type, has no value.
package struct ExpressionFailure: Error, Hashable, Sendable {
  /// What is wrong and what to do, in one line.
  package let message: String
  /// The part of the text that is wrong, in UTF-8 bytes; nil if it is the whole.
  package var range: Range<Int>?

  package init(_ message: String, at range: Range<Int>? = nil) {
    self.message = message
    self.range = range
  }
}
