/// Answers folded to the width of the terminal.
extension Output {
  /// Lets `body` write whole lines, and folds those that are too long for the terminal.
  ///
  /// - Parameter indent: the column where a continued line begins.
  func folded(indent: Int = 4, _ body: () throws -> Void) rethrows {
    guard let width = display.width, !isFolding else { return try body() }
    isFolding = true
    defer { isFolding = false }
    try rewriting(body) { Folding(width: width, indent: indent).folded($0) }
  }

  /// Writes one line of a list of names and values, such as those of `info`: the value, in which control characters
  /// become `?`, begins in the column `indent`, and so do its continued lines.
  func field(_ name: String, _ value: some StringProtocol, indent: Int) {
    folded(indent: indent) {
      text(name)
      spaces(max(indent - name.utf8.count, name.isEmpty ? 0 : 1))
      printable(value)
      newline()
    }
  }
}
