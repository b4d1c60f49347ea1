import KernelVA
import Synchronization

/// What a word of the shell may become.
enum Completion {
  /// The kernel whose symbols are offered, once it is known.
  static let kernel = Mutex<Kernel?>(nil)

  /// Symbols that are offered at once.
  private static let most = 2000

  /// What `word` may become behind `text`. Empty where a file is meant, or nothing fits.
  static func candidates(_ word: String, after text: String) -> [String] {
    let before = text.split(separator: " ")
    if text.contains(">") || text.contains("|") { return [] }
    guard let command = before.first else { return begin(Shell.names, with: word) }
    guard let type = SessionCommands.named(String(command)) else {
      return command == "help" ? begin(Shell.names, with: word) : []
    }
    if word.hasPrefix("-") { return begin(options(of: type), with: word) }
    return type.takesSymbols ? symbols(word) : []
  }

  /// What all of `candidates` begin with.
  static func common(_ candidates: [String]) -> String {
    guard var common = candidates.first.map({ Array($0.utf8) }) else { return "" }
    for candidate in candidates {
      let length = zip(common, candidate.utf8).prefix { $0 == $1 }.count
      common.removeLast(common.count - length)
    }
    return String(decoding: common, as: UTF8.self)
  }

  private static func begin(_ names: [String], with word: String) -> [String] {
    names.filter { $0.hasPrefix(word) }.sorted()
  }

  /// The long options that the help of a command shows, but for those of the dump.
  private static func options(of type: any AnsweringCommand.Type) -> [String] {
    let shared = longOptions(DumpOptions.helpMessage())
    let own = longOptions(type.helpMessage(columns: 200))
    return own.filter { !shared.contains($0) } + ["--json"]
  }

  private static func longOptions(_ help: String) -> [String] {
    var options: Set<String> = []
    for word in help.split(whereSeparator: { " \n[]|=/,".contains($0) }) where word.hasPrefix("--") && word.count > 2 {
      options.insert(String(word.prefix { $0.isLetter || $0.isNumber || $0 == "-" }))
    }
    return options.sorted()
  }

  private static func symbols(_ word: String) -> [String] {
    guard !word.isEmpty, let kernel = kernel.withLock(\.self) else { return [] }
    var names: Set<String> = []
    kernel.forEachSymbol { symbol in
      if symbol.name.hasPrefix(word) { names.insert(symbol.name) }
      return names.count < most
    }
    return names.sorted()
  }
}
