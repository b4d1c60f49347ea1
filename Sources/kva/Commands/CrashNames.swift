import KernelVA

/// What crash(8) calls things, where kva's own names and aliases are others.
enum CrashNames {
  /// What a line may begin with besides the commands.
  static let all = ["kmem", "struct", "sys", "union"]

  /// `words` with what crash(8) calls a command replaced by what kva does.
  ///
  /// - Parameter namesDump: whether the dump is the first argument.
  static func translated(_ words: [String], namesDump: Bool) -> [String] {
    guard let first = words.first else { return words }
    let rest = Array(words.dropFirst())
    switch first {
    case "sys": return ["info"] + rest
    case "struct", "union": return namesDump ? words : structure(first, rest) ?? words
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

  /// `struct NAME[.MEMBER,...] [-o] [ADDRESS]`, as crash(8) has it: the layout of a type, or the type or its members at
  /// an address; nil if it is none.
  private static func structure(_ keyword: String, _ arguments: [String]) -> [String]? {
    let options = arguments.filter { $0.hasPrefix("--") }
    let rest = arguments.filter { !$0.hasPrefix("-") }
    guard let first = rest.first, rest.count <= 2 else { return nil }
    let parts = first.split(separator: ".", maxSplits: 1)
    guard let name = parts.first else { return nil }
    let members = parts.count > 1 ? parts[1].split(separator: ",").map(String.init) : []
    guard rest.count == 2 else {
      return ["type"] + (members.isEmpty ? ["\(keyword) \(name)"] : members.map { "\(keyword) \(name).\($0)" })
        + options
    }
    // A symbol is its address there; a number needs no 0x.
    var place = rest[1]
    if let query = try? Query(place) {
      switch query.base {
      case .address: if !place.hasPrefix("0x"), Hex.number(place[...]) != nil { place = "0x" + place }
      case .symbol: place = "&\(place)"
      case .register: break
      }
    }
    let whole = "((\(keyword) \(name) *)(\(place)))"
    return ["print"] + options + (members.isEmpty ? ["*\(whole)"] : members.map { "\(whole)->\($0)" })
  }
}
