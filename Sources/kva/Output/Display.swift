import Glibc
import KernelVA

/// How answers are shown to people.
struct Display {
  /// Columns at which lines are folded; nil to leave them as long as they are, as for a file or a program.
  var width: Int?
  /// Whether words may be coloured.
  var isColoured = false
  /// Whether tables have headers.
  var hasHeaders = false
  /// Whether the sources of facts are shown.
  var isVerbose = false

  /// What a file, or a program that reads the output, gets.
  static let plain = Display()

  /// Narrower terminals are written to as if they had so many columns.
  private static let leastWidth = 40

  private init() {}

  /// What is shown on `file`: on a terminal, headers, lines of its width, and colours if it has them.
  /// COLUMNS overrides its width. (environ(7))
  init(on file: Int32) {
    guard isatty(file) == 1 else { return }
    hasHeaders = true
    isColoured = Style.isWanted
    let named = SystemCall.environment("COLUMNS").flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
    width = (named ?? SystemCall.terminalWidth(of: file)).map { max($0, Self.leastWidth) }
  }
}
