import Glibc
import KernelVA

/// Messages on standard error, one line each: `kva: FILE: what is wrong`.
enum Diagnostics {
  /// The folding of messages for the terminal; nil if they go to a file or a program, where each is one line.
  private static let folding = SystemCall.terminalWidth(of: STDERR_FILENO).map { Folding(width: $0, indent: 4) }

  /// Writes one line. Control characters, which may come from a file's name or a note, become `?`.
  static func report(_ message: String) {
    writeFolded("kva: \(printable(message))\n")
  }

  /// Writes `text`, whole lines, folded for the terminal.
  static func writeFolded(_ text: String) {
    guard let folding else { return write(text) }
    write(String(decoding: folding.folded(Array(text.utf8)), as: UTF8.self))
  }

  /// `text` with `?` for each control character.
  static func printable(_ text: String) -> String {
    String(decoding: text.utf8.map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
  }

  /// Writes `text` as it is.
  static func write(_ text: String) {
    // If standard error cannot be written, there is no one to report it to.
    _ = SystemCall.write(text.utf8.span.rawSpan, to: STDERR_FILENO)
  }
}
