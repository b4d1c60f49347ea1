import ArgumentParser
import KernelVA

/// `kva modules`: the loaded modules.
struct ModulesCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "modules",
    abstract: "List the loaded modules and where their memory is.",
    discussion: """
      Example: kva modules vmcore
      Example: kva modules vmcore --json | jq -r '.name'
      """,
    aliases: ["mod"])

  @OptionGroup var options: DumpOptions

  func answer(_ session: Session) throws {
    try session.list { kernel, output in
      let modules = kernel.modules
      for module in modules.elements {
        if options.json { output.moduleJSON(module) } else { output.moduleText(module) }
      }
      return modules.notes
    }
  }
}
