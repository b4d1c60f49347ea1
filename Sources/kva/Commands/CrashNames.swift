import KernelVA

/// What crash(8) calls things, where kva's own names and aliases are others.
enum CrashNames {
  /// What a line may begin with besides the commands.
  static let all = ["kmem", "sys"]

  /// `words` with what crash(8) calls a command replaced by what kva does.
  ///
  /// - Parameter namesDump: whether the dump is the first argument.
  static func translated(_ words: [String], namesDump: Bool) -> [String] {
    guard let first = words.first else { return words }
    let rest = Array(words.dropFirst())
    switch first {
    case "sys": return ["info"] + rest
    case "kmem":
      guard let option = rest.firstIndex(of: "-v") else { return words }
      return ["vmalloc"] + rest[..<option] + rest[(option + 1)...]
    case "sym":
      // It takes an address as well.
      let arguments = rest.filter { !$0.hasPrefix("-") }
      guard arguments.count == (namesDump ? 2 : 1), let last = arguments.last, let query = try? Query(last),
        case .address = query.base
      else { return words }
      return ["identify"] + rest
    case "help":
      guard let name = rest.first else { return words }
      let command = name == "kmem" ? "vmalloc" : translated([name], namesDump: namesDump)[0]
      return ["help", SessionCommands.named(command)?.configuration.commandName ?? command]
    default: return words
    }
  }
}
