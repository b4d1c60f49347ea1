import Glibc
import KernelVA

/// How answers are shown to people.
struct Display {
  /// Columns at which lines are folded; nil to leave them unfolded, as for a file or a program.
  var width: Int?
  /// Whether words may be coloured.
  var isColoured = false
  /// Whether tables have headers.
  var hasHeaders = false
  /// Whether the sources of facts are shown.
  var isVerbose = false

  /// The format for files and programs.
  static let plain = Display()

  /// The width assumed for narrower terminals.
  private static let leastWidth = 40

  private init() {}

  /// The format for `file`: on a terminal, headers, lines of its width, and colours if it has them. COLUMNS overrides
  /// the width. (environ(7))
  init(on file: Int32) {
    guard isatty(file) == 1 else { return }
    hasHeaders = true
    isColoured = Style.isWanted
    let named = SystemCall.environment("COLUMNS").flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
    width = (named ?? SystemCall.terminalWidth(of: file)).map { max($0, Self.leastWidth) }
  }
}
