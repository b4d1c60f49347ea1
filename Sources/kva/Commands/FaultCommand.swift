import ArgumentParser
import KernelVA

/// `kva fault`: what the processor reported when the kernel died.
struct FaultCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "fault",
    abstract: "Say what the processor reported when the kernel died.",
    discussion: """
      With --esr or --line no dump is needed: they decode what a console printed.
      Example: kva fault vmcore
      Example: kva fault --esr 0x96000047 --far 0xffff800080787e10
      Example: kva fault --line '[0000000000000008] pgd=0800000041b1e003, p4d=0800000041b1e003, pud=0000000000000000'
      """)

  @OptionGroup var options: DumpOptions

  @Option(help: ArgumentHelp("Decode this ESR_EL1 instead.", valueName: "value"))
  var esr: Number?

  @Option(help: ArgumentHelp("With --esr: the address that was accessed, FAR_EL1.", valueName: "address"))
  var far: Number?

  @Option(help: ArgumentHelp("Decode the walk that an oops printed instead.", valueName: "text"))
  var line: String?

  /// The arguments with a placeholder for the dump if they need none.
  static func completed(_ arguments: [String]) -> [String] {
    let decodes = arguments.contains { $0.hasPrefix("--esr") || $0.hasPrefix("--line") }
    guard decodes, (try? parse(arguments)) == nil else { return arguments }
    return ["-"] + arguments
  }

  func validate() throws {
    if far != nil, esr == nil { throw ValidationError("--far goes with --esr.") }
  }

  func answer(_ session: Session) throws {
    let output = session.output
    guard esr == nil, line == nil else {
      let size = options.access.pageSize?.bytes ?? 4096
      guard let fault = KernelFault(esr: esr?.value, far: far?.value, line: line ?? "", pageSize: size) else {
        throw ValidationError("'\(line ?? "")' has no entries of a walk, such as pgd=0800000041b1e003")
      }
      if options.json { output.faultJSON(fault) } else { output.faultText(fault) }
      return
    }
    guard let fault = try session.kernel.fault else {
      session.report(.noFault, "neither the log nor a stack tells of a fault: the dump may be of a running machine")
      throw ExitCode.notFound
    }
    if options.json { output.faultJSON(fault) } else { output.faultText(fault) }
  }
}
