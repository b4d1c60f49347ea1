import KernelVA
import Synchronization

/// Completion of words in the shell.
enum Completion {
  /// The kernel whose symbols are offered, once known.
  static let kernel = Mutex<Kernel?>(nil)

  /// The most symbols offered at once.
  private static let most = 2000

  /// The completions of `word` after `text`. Empty if a file name is expected, or nothing fits.
  static func candidates(_ word: String, after text: String) -> [String] {
    let before = (ShellLine.commands(text).last ?? "").split(separator: " ")
    if text.hasPrefix("!") || text.contains(">") || text.contains("|") { return [] }
    guard let command = before.first else { return begin(Shell.names, with: word) }
    guard let type = SessionCommands.named(String(command)) else {
      return command == "help" ? begin(Shell.names, with: word) : []
    }
    if word.hasPrefix("-") { return begin(options(of: type), with: word) }
    if let option = before.dropFirst().last, option.hasPrefix("--"), let values = values(of: option, type) {
      return begin(values, with: word)
    }
    if type == ModulesCommand.self { return begin(modules(), with: word) }
    if type == TasksCommand.self || type == StackCommand.self || type == MapsCommand.self {
      return begin(tasks(), with: word)
    }
    return type.takesSymbols ? symbols(word) : []
  }

  /// The common prefix of `candidates`.
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

  /// The long options in the help of a command, except those for opening the dump.
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

  /// The values of `option`, which may end with `=`, as listed in the help of a command; nil if it lists none.
  private static func values(of option: Substring, _ type: any AnsweringCommand.Type) -> [String]? {
    let name = option.hasSuffix("=") ? option.dropLast() : option
    if name == "--ttbr0" { return tables() }
    if name == "--module" { return ["vmlinux"] + modules() }
    var entry = ""
    for line in type.helpMessage(columns: 1000).split(separator: "\n") {
      let text = line.drop { $0 == " " }
      if text.hasPrefix("-") {
        guard entry.isEmpty else { break }
        if text.hasPrefix(name + " ") { entry = String(text) }
      } else if !entry.isEmpty {
        entry += " " + text
      }
    }
    guard let start = entry.firstRange(of: "(values: ") else { return nil }
    let values = entry[start.upperBound...].prefix { $0 != ")" && $0 != ";" }
    return values.split(separator: ",").map { $0.drop { $0 == " " }.split(separator: " ").joined(separator: "\\ ") }
  }

  private static func modules() -> [String] { kernel.withLock(\.self)?.modules.elements.map(\.name) ?? [] }

  /// The names of tasks: each CPU, and each PID.
  private static func tasks() -> [String] {
    guard let kernel = kernel.withLock(\.self) else { return [] }
    return kernel.cpus.map { "cpu\($0.cpu)" } + kernel.tasks.elements.map { "\($0.pid)" }
  }

  /// The names that `--ttbr0` accepts: each CPU, and each process.
  private static func tables() -> [String] {
    guard let kernel = kernel.withLock(\.self) else { return [] }
    return kernel.cpus.map { "cpu\($0.cpu)" } + kernel.addressSpaces.map { "\($0.pid)" }
  }

  /// Symbols of the kernel and its modules; modules followed by a colon, and after that their symbols.
  private static func symbols(_ word: String) -> [String] {
    guard !word.isEmpty, let kernel = kernel.withLock(\.self) else { return [] }
    if let at = word.firstIndex(of: "@") {
      return begin(kernel.cpus.map { "\(word[..<at])@cpu\($0.cpu)" }, with: word)
    }
    var names: Set<String> = []
    if let colon = word.firstIndex(of: ":") {
      let module = word[..<colon]
      kernel.forEachSymbol { symbol in
        if let owner = symbol.module, owner == module, case let name = "\(owner):\(symbol.name)", name.hasPrefix(word) {
          names.insert(name)
        }
        return names.count < most
      }
      return names.sorted()
    }
    for module in kernel.modules.elements where module.name.hasPrefix(word) { names.insert(module.name + ":") }
    kernel.forEachSymbol { symbol in
      if symbol.name.hasPrefix(word) { names.insert(symbol.name) }
      return names.count < most
    }
    return names.sorted()
  }
}
