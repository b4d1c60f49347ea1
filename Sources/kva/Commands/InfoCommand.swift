import ArgumentParser
import KernelVA

/// `kva info`: what the dump is, and which kernel is in it.
struct InfoCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "Show the dump's format and the kernel's facts, each with its source.",
    discussion: """
      Example: kva info vmcore
      Example: kva info vmcore --json | jq .swapperPgDir
      """)

  @OptionGroup var options: DumpOptions

  func answer(_ session: Session) throws {
    let dump = try session.dump
    let output = session.output
    let kernel: Kernel
    do {
      kernel = try session.kernel
    } catch let error as LocatedError where error.kind == .missing && error.file == dump.path {
      // The file's own facts are worth showing even without a kernel.
      show(dump, nil, output)
      session.report(error)
      throw ExitCode.notFound
    }
    show(kernel.dump, kernel, output)
  }

  private func show(_ dump: DumpFile, _ kernel: Kernel?, _ output: Output) {
    if options.json { output.infoJSON(dump, kernel) } else { output.infoText(dump, kernel) }
  }
}
