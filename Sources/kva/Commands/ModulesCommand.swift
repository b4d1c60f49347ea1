import ArgumentParser
import KernelVA

/// `kva modules`: the loaded modules.
struct ModulesCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "modules",
    abstract: "List the loaded modules, who uses them and where their memory is.",
    discussion: """
      Example: kva modules vmcore fuse
      Example: kva modules vmcore 0xffff80000a1c2d40
      Example: kva modules vmcore --json | jq -r 'select(.taint != "").name'
      """,
    aliases: ["mod"])

  @OptionGroup var options: DumpOptions

  @Argument(help: "Only these, with their memory: names (* for any letters, ? for one), or an address in them.")
  var modules: [String] = []

  mutating func take(_ arguments: [String]) { modules = arguments }

  func answer(_ session: Session) throws {
    try session.list { kernel, output in
      let listing = kernel.modules
      var found = listing.elements
      var missing: [Diagnostic] = []
      if !modules.isEmpty {
        let tests = modules.map(Self.test)
        for (name, test) in zip(modules, tests) where !found.contains(where: test) {
          missing.append(Diagnostic(.noSuchModule, name, "no module is called, or has the address, '\(name)'"))
        }
        found = found.filter { module in tests.contains { $0(module) } }
      }
      if options.json {
        found.forEach(output.moduleJSON)
      } else {
        output.moduleTable(found)
        if !modules.isEmpty || output.display.isVerbose, !found.isEmpty {
          output.newline()
          output.moduleMemoryTable(found)
        }
      }
      return listing.notes + missing
    }
  }

  /// Whether a module matches `text`: by its name, or by an address inside it.
  private static func test(_ text: String) -> (KernelModule) -> Bool {
    let pattern = NamePattern(text)
    guard let query = try? Query(text), case .address(let base) = query.base else {
      return { pattern.matches($0.name) }
    }
    let address = base &+ query.offset
    return { $0.contains(address) || pattern.matches($0.name) }
  }
}
