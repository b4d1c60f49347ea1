import ArgumentParser
import KernelVA

/// `kva regions`: the kernel's memory layout in a dump.
struct RegionsCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "regions",
    abstract: "Show the kernel's memory layout as this dump has it, and what is mapped there.",
    discussion: """
      Example: kva regions vmcore
      Example: kva regions vmcore --json | jq -r 'select(.mapped == 0) | .name'
      """)

  @OptionGroup var options: DumpOptions

  func answer(_ session: Session) throws {
    let kernel = try session.kernel
    guard let listing = kernel.regions() else {
      session.report(.layoutUnknown, "nothing tells how this kernel divides its addresses")
      throw ExitCode.notFound
    }
    let output = session.output
    if options.json { listing.regions.forEach(output.regionJSON) } else { output.regionsTable(listing.regions) }
    if !session.report(listing.report, kernel.dump) { throw ExitCode.notFound }
  }
}
