import ArgumentParser
import KernelVA

/// `kva identify`: everything known about an address.
struct IdentifyCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "identify",
    abstract: "Say everything that is known about an address.",
    discussion: """
      Example: kva identify vmcore 0xffff80000a1c2d40
      Example: kva identify vmcore --json < pointers.txt
      """)

  static var takesSymbols: Bool { true }

  @OptionGroup var options: DumpOptions
  @OptionGroup var queries: Queries
  @OptionGroup var tables: TablesOptions

  mutating func take(_ arguments: [String]) { queries.arguments = arguments }

  func answer(_ session: Session) throws {
    let kernel = try session.kernel
    let user = try session.regime(tables)
    let output = session.output
    var allFound = true
    try queries.forEach(session) { query in
      let identity = kernel.identify(query, user: user)
      if identity.resolution.status != .mapped { allFound = false }
      if options.json { output.identityJSON(identity, kernel) } else { output.identityText(identity, kernel) }
    }
    if !allFound { throw ExitCode.notFound }
  }
}
