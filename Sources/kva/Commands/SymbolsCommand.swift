import ArgumentParser
import KernelVA

/// `kva symbols`: the names that are known.
struct SymbolsCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "symbols",
    abstract: "List the symbols of the kernel and its modules.",
    discussion: """
      PATTERN is a name, in which * stands for any letters and ? for one.

      Example: kva symbols vmcore 'vmalloc_*'
      Example: kva symbols vmcore --json | jq -r 'select(.module == "ext4").name'
      """,
    aliases: ["sym"])

  static var takesSymbols: Bool { true }

  @OptionGroup var options: DumpOptions
  @Argument(help: "Only names like this.")
  var pattern: String?

  mutating func take(_ arguments: [String]) throws {
    if arguments.count > 1 { throw ValidationError("Unexpected argument '\(arguments[1])'") }
    pattern = arguments.first
  }

  func answer(_ session: Session) throws {
    let pattern = pattern.map { NamePattern($0) }
    try session.list { kernel, output in
      var found = false
      kernel.forEachSymbol { symbol in
        guard pattern?.matches(symbol.name) ?? true else { return true }
        found = true
        if options.json { output.symbolJSON(symbol) } else { output.symbolText(symbol) }
        return true
      }
      return found
        ? kernel.symbolNotes
        : ["no symbol \(self.pattern.map { "like '\($0)' " } ?? "")is known; give --vmlinux for more"]
    }
  }
}
