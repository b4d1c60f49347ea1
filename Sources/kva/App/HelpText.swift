import ArgumentParser

/// The help of a command with its own options first, and the common ones after them.
enum HelpText {
  /// The headings of the common options, the titles of `DumpOptions` as capitalised by the parser.
  private static let common = ["OUTPUT OPTIONS:", "DUMP OPTIONS:"]

  /// The parser's `text` with its sections reordered.
  static func arranged(_ text: String) -> String {
    var (own, shared): ([Substring], [Substring]) = ([], [])
    var isShared = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if common.contains(where: { line == $0 }) {
        isShared = true
      } else if line.hasSuffix(":"), line.allSatisfy({ $0.isUppercase || $0 == " " || $0 == ":" }) {
        isShared = false
      }
      if isShared { shared.append(line) } else { own.append(line) }
    }
    guard !shared.isEmpty else { return text }
    while own.last?.isEmpty ?? false { own.removeLast() }
    while shared.last?.isEmpty ?? false { shared.removeLast() }
    return (own + [""] + shared + [""]).joined(separator: "\n")
  }
}
