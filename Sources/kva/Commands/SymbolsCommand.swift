import ArgumentParser
import KernelVA

/// `kva symbols`: the known symbols.
struct SymbolsCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "symbols",
    abstract: "List the symbols of the kernel and its modules.",
    discussion: """
      PATTERN is a name, in which * stands for any letters and ? for one.

      Example: kva symbols vmcore 'vmalloc_*' --type tT
      Example: kva symbols vmcore --module ext4 --json | jq -r .name
      """,
    aliases: ["sym"])

  static var takesSymbols: Bool { true }

  @OptionGroup var options: DumpOptions

  @Argument(help: "Only names like this.")
  var pattern: String?

  @Flag(name: .shortAndLong, help: "Small letters and capitals are alike.")
  var ignoreCase = false

  @Flag(help: "The pattern is a regular expression of grep -E.")
  var regex = false

  @Option(help: ArgumentHelp("Only symbols of this module; vmlinux for the kernel's own.", valueName: "name"))
  var module: String?

  @Option(help: ArgumentHelp("Only symbols of these types, by their letters in nm(1).", valueName: "letters"))
  var type: String?

  mutating func take(_ arguments: [String]) throws {
    if arguments.count > 1 { throw ValidationError("Unexpected argument '\(arguments[1])'") }
    pattern = arguments.first
  }

  func validate() throws {
    if regex, pattern == nil { throw ValidationError("--regex needs a pattern.") }
    _ = try test()
  }

  /// A test of whether a name matches the pattern.
  private func test() throws -> (String) -> Bool {
    guard let pattern else { return { _ in true } }
    guard regex else { return NamePattern(pattern, ignoresCase: ignoreCase).matches }
    do {
      return try RegularExpression(pattern, ignoresCase: ignoreCase).matches
    } catch {
      throw ValidationError("'\(pattern)' is no regular expression: \(error.message)")
    }
  }

  func answer(_ session: Session) throws {
    let isLike = try test()
    let types = type.map { Set($0.utf8) }
    let owner = module == "vmlinux" ? nil : module
    try session.list { kernel, output in
      var found = false
      kernel.forEachSymbol { symbol in
        guard module == nil || symbol.module == owner,
          types == nil || symbol.type.map({ types?.contains($0) ?? true }) ?? false,
          isLike(symbol.name)
        else { return true }
        found = true
        if options.json { output.symbolJSON(symbol) } else { output.symbolText(symbol) }
        return true
      }
      if found { return kernel.symbolNotes }
      if let owner, !kernel.modules.elements.contains(where: { $0.name == owner }) {
        return [Diagnostic(.noSuchModule, owner, "no module is called '\(owner)'; kva modules lists them")]
      }
      let isFiltered = module != nil || type != nil
      return [
        Diagnostic(
          isFiltered ? .symbolMisspelled : .noSuchSymbol, pattern,
          "no symbol \(pattern.map { "like '\($0)' " } ?? "")is known\(isFiltered ? " there" : "")")
      ]
    }
  }
}
