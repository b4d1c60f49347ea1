import ArgumentParser

/// The help of a command with its own options first, and those that go with every command after them.
enum HelpText {
  /// The headings of what goes with every command, as the parser capitalises the titles of `DumpOptions`.
  private static let common = ["OUTPUT OPTIONS:", "DUMP OPTIONS:"]

  /// `text` as the parser makes it, its sections in another order.
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
