import KernelVA

/// The style of a word on a terminal.
enum Style: String {
  case strong = "1"
  case bad = "1;31"
  case doubtful = "33"

  /// Whether the environment asks for colours on a terminal: TERM names one that has them, and NO_COLOR is not set.
  /// (no-color.org)
  static var isWanted: Bool {
    guard SystemCall.environment("NO_COLOR") ?? "" == "" else { return false }
    return SystemCall.environment("TERM").map { $0 != "dumb" } ?? false
  }
}

extension Output {
  /// Writes a word of kva's own.
  func styled(_ word: String, _ style: Style) { styled(style) { text(word) } }

  /// Lets `body` write words in `style`; plain if it is nil.
  func styled(_ style: Style?, _ body: () -> Void) {
    guard display.isColoured, let style else { return body() }
    text("\u{1b}[\(style.rawValue)m")
    body()
    text("\u{1b}[m")
  }
}
