import ArgumentParser

/// The commands that can also be given to `batch` and `shell`.
struct SessionCommands: ParsableCommand {
  /// The commands in the order of the help.
  static let all: [any ParsableCommand.Type] = [
    InfoCommand.self, ResolveCommand.self, IdentifyCommand.self, ReadCommand.self, SearchCommand.self,
    RegionsCommand.self,
    LayoutCommand.self, PtdumpCommand.self, AuditCommand.self, RmapCommand.self, SymbolsCommand.self,
    ModulesCommand.self, VmallocCommand.self, TasksCommand.self, MapsCommand.self, FilesCommand.self,
    MountsCommand.self,
    StackCommand.self,
    FaultCommand.self, TypeCommand.self, PrintCommand.self, ListCommand.self, TreeCommand.self, SlabCommand.self,
    PageCommand.self, DmesgCommand.self, ReportCommand.self,
    DiffCommand.self,
  ]

  /// The root command of their help and error messages.
  static let configuration = CommandConfiguration(
    commandName: "kva", version: "kva \(Release.version)", subcommands: all)

  /// A parse error in one line, without the usage that the parser appends.
  static func line(for error: any Error) -> String {
    let text = message(for: error)
    return text.split(separator: "\n").first.map(String.init) ?? text
  }

  /// The command with this name or alias.
  static func named(_ name: String) -> (any AnsweringCommand.Type)? {
    all.first { $0.configuration.commandName == name || $0.configuration.aliases.contains(name) }
      as? any AnsweringCommand.Type
  }
}
