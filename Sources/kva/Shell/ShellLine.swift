/// A command line of the shell: the words, and where the output goes.
struct ShellLine: Equatable {
  /// Where the output of a command goes.
  enum Destination: Equatable {
    case standardOutput
    /// A command for sh(1).
    case program(String)
    /// A file, truncated or appended to.
    case file(String, appends: Bool)
  }

  /// Why a line is malformed.
  struct Malformed: Error {
    /// What is wrong with it.
    var message: String
  }

  private(set) var words: [String] = []
  private(set) var destination = Destination.standardOutput

  /// The commands of `text`, separated by `;`. A `;` inside quotes, parentheses or braces, as in a program after `|`,
  /// is part of a command; so is everything after a leading `!`.
  static func commands(_ text: String) -> [Substring] {
    var parts: [Substring] = []
    var start = text.startIndex
    var quote: Character?
    var depth = 0
    var isEscaped = false
    var isAtWord = true
    var isAtCommand = true
    for place in text.indices {
      let letter = text[place]
      if isEscaped {
        isEscaped = false
      } else if letter == "\\", quote != "'" {
        isEscaped = true
      } else if let open = quote {
        if letter == open { quote = nil }
      } else if letter == "'" || letter == "\"" {
        quote = letter
      } else if letter == "#" && isAtWord || letter == "!" && isAtCommand {
        // A comment or a program extends to the end.
        break
      } else if letter == "(" || letter == "{" {
        depth += 1
      } else if letter == ")" || letter == "}" {
        depth -= 1
      } else if letter == ";", depth <= 0 {
        parts.append(text[start..<place])
        start = text.index(after: place)
      }
      isAtWord = letter == " " || letter == "\t" || letter == ";"
      isAtCommand = isAtWord && (isAtCommand || letter == ";")
    }
    return parts + [text[start...]]
  }

  /// Splits `text` at blanks. Quoted text, and characters after a backslash, are taken literally; `#` at the beginning
  /// of a word starts a comment.
  init(_ text: some StringProtocol) throws(Malformed) {
    var word: String?
    var rest = String(text)[...]
    while let letter = rest.popFirst() {
      switch letter {
      case " ", "\t":
        if let whole = word { words.append(whole) }
        word = nil
      case "#" where word == nil: rest = ""
      case "|", ">":
        if let whole = word { words.append(whole) }
        guard !words.isEmpty else { throw Malformed(message: "a command has to stand before '\(letter)'") }
        destination = try Self.destination(letter, rest)
        return
      case "'", "\"":
        guard let end = rest.firstIndex(of: letter) else { throw Malformed(message: "a quote has no end: \(letter)") }
        word = (word ?? "") + rest[..<end]
        rest = rest[rest.index(after: end)...]
      case "\\":
        guard let next = rest.popFirst() else { throw Malformed(message: "nothing stands behind '\\'") }
        word = (word ?? "") + String(next)
      default: word = (word ?? "") + String(letter)
      }
    }
    if let word { words.append(word) }
  }

  private static func destination(_ sign: Character, _ rest: Substring) throws(Malformed) -> Destination {
    if sign == "|" {
      guard rest.contains(where: { $0 != " " }) else { throw Malformed(message: "no program stands behind '|'") }
      return .program(String(rest))
    }
    let appends = rest.first == ">"
    let name = try ShellLine(appends ? rest.dropFirst() : rest)
    guard name.words.count == 1, name.destination == .standardOutput else {
      throw Malformed(message: "one file name has to stand behind '>'")
    }
    return .file(name.words[0], appends: appends)
  }
}
