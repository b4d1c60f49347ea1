import KernelVA

/// crash(8)'s command names, where they differ from kva's names and aliases.
enum CrashNames {
  /// The words besides commands that a line may begin with.
  static let all = ["kmem", "ptov", "struct", "sys", "union"]

  /// `words` with a crash(8) command replaced by kva's.
  ///
  /// - Parameter namesDump: whether the dump is the first argument.
  static func translated(_ words: [String], namesDump: Bool) -> [String] {
    guard let first = words.first else { return words }
    let rest = Array(words.dropFirst())
    switch first {
    case "sys": return ["info"] + rest
    case "struct", "union": return namesDump ? words : structure(first, rest) ?? words
    case "ptov": return ["rmap"] + rest
    case "kmem":
      guard let option = rest.first(where: { kmem[$0] != nil }), let name = kmem[option],
        SessionCommands.named(name) != nil
      else { return words }
      return [name] + rest.filter { $0 != option }
    case "sym":
      // `kmem` also takes an address.
      let arguments = rest.filter { !$0.hasPrefix("-") }
      guard arguments.count == (namesDump ? 2 : 1), let last = arguments.last, let query = try? Query(last),
        case .address = query.base
      else { return words }
      return ["identify"] + rest
    case "rd" where !namesDump: return countedInWords(rest)
    case "search" where !namesDump: return ["search"] + rest.flatMap { searches[$0] ?? [$0] }
    case "help":
      guard let name = rest.first else { return words }
      let others = ["kmem": "vmalloc", "struct": "type", "union": "type"]
      let command = others[name] ?? translated([name], namesDump: true)[0]
      return ["help", SessionCommands.named(command)?.configuration.commandName ?? command]
    default: return words
    }
  }

  /// The commands for the options of `kmem`.
  private static let kmem = ["-v": "vmalloc", "-s": "slab", "-p": "page"]

  /// The options of crash's search: virtual or physical memory, words of 4 bytes, text.
  private static let searches = ["-k": [], "-K": [], "-v": [], "-p": [], "-w": ["--size", "4"], "-c": ["--string"]]

  /// Word sizes of crash's rd, in bytes.
  private static let wordSizes = ["-8": 1, "-16": 2, "-32": 4, "-64": 8]

  /// crash's `rd [-8|-16|-32|-64] [-p] ADDRESS [COUNT]`, which counts words, by default one of 8 bytes. With an option
  /// of `read` it is `read`.
  private static func countedInWords(_ words: [String]) -> [String] {
    var size = 8
    var options: [String] = []
    var arguments: [String] = []
    for word in words {
      if let named = wordSizes[word] {
        size = named
      } else if word == "-p" {
        options.append("--physical")
      } else if word.hasPrefix("-") {
        options.append(word)
      } else {
        arguments.append(word)
      }
    }
    guard !options.contains(where: { $0 != "--physical" && $0 != "--json" }), (1...2).contains(arguments.count),
      let count = arguments.count == 2 ? Query.byteSize(arguments[1]) : 1
    else { return ["read"] + words }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: UInt64(size))
    guard !overflow else { return ["read"] + words }
    let form = options.contains("--json") ? [] : ["--words", "\(size)"]
    return ["read", arguments[0], "\(bytes)"] + options + form
  }

  /// Whether `words` is a `rd` command that counts words, as crash does.
  static func countsWords(_ words: [String]) -> Bool {
    words.first == "rd" && translated(words, namesDump: false).contains("--words") && !words.contains("--words")
  }

  /// `struct NAME[.MEMBER,...] [-o] [ADDRESS]`, as crash(8) has it: the layout of a type, or the type or its members at
  /// an address; nil if it is not one.
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
    // In crash, a symbol means its address, and a number needs no 0x.
    var place = rest[1]
    if let query = try? Query(place) {
      switch query.base {
      case .address: if !place.hasPrefix("0x"), Hex.number(place[...]) != nil { place = "0x" + place }
      case .symbol: place = "&\(place)"
      case .register, .physical, .frame: break
      }
    }
    let whole = "((\(keyword) \(name) *)(\(place)))"
    return ["print"] + options + (members.isEmpty ? ["*\(whole)"] : members.map { "\(whole)->\($0)" })
  }
}
