import ArgumentParser
import KernelVA

/// `kva resolve`: virtual address or symbol to physical address.
struct ResolveCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "resolve",
    abstract: "Translate virtual addresses and symbols by the tables in the dump.",
    discussion: """
      Example: kva resolve vmcore swapper_pg_dir+8 0xffff80000a1c2d40 --walk
      Example: cut -f1 pointers.txt | kva resolve vmcore --json
      """,
    aliases: ["vtop"])

  static var takesSymbols: Bool { true }

  @OptionGroup var options: DumpOptions
  @OptionGroup var queries: Queries

  @Flag(help: "Show every descriptor on the way.")
  var walk = false

  @OptionGroup var tables: TablesOptions

  @Flag(help: "Show beside the walked answer what the kernel's own arithmetic says.")
  var verify = false

  mutating func take(_ arguments: [String]) { queries.arguments = arguments }

  func answer(_ session: Session) throws {
    let kernel = try session.kernel
    let arithmetic = verify ? kernel.arithmetic : nil
    let user = try session.regime(tables)
    let output = session.output
    var allFound = true
    try queries.forEach(session) { query in
      let resolution = kernel.resolve(query, trace: walk, user: user)
      let check =
        resolution.message?.code == .dataAliasUnmapped
        ? nil
        : arithmetic.flatMap { arithmetic in
          resolution.virtual.flatMap { arithmetic.answer($0, in: resolution.region) }
        }
      if resolution.status != .mapped { allFound = false }
      if let check, check.physical != resolution.physical { allFound = false }
      if options.json {
        output.resolutionJSON(resolution, kernel, check)
      } else {
        output.resolutionText(resolution, kernel, withWalk: walk, check)
      }
    }
    if !allFound { throw ExitCode.notFound }
  }
}
