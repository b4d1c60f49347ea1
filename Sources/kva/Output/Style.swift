import Glibc
import KernelVA

/// What a word looks like on a terminal.
enum Style: String {
  case strong = "1"
  case bad = "1;31"
  case doubtful = "33"

  /// Whether what is written to `file` is coloured: on a terminal that can, unless NO_COLOR says otherwise.
  /// (no-color.org)
  static func isWanted(on file: Int32) -> Bool {
    guard isatty(file) == 1, SystemCall.environment("NO_COLOR") ?? "" == "" else { return false }
    return SystemCall.environment("TERM").map { $0 != "dumb" } ?? false
  }
}

extension Output {
  /// Writes a word of ours.
  func styled(_ word: String, _ style: Style) {
    guard isColoured else { return text(word) }
    text("\u{1b}[\(style.rawValue)m")
    text(word)
    text("\u{1b}[m")
  }
}
