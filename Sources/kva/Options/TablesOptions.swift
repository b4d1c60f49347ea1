import ArgumentParser
import KernelVA

/// Which tables translate addresses of the lower half.
struct TablesOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Use the tables of user space of a PID, of cpuN, of EFI (efi), or at a physical address.", valueName: "tables"))
  var ttbr0: String?

  @Flag(help: "Use the tables of the hypervisor (KVM without VHE), for its addresses.")
  var el2 = false

  /// Reports contradictions before anything is opened.
  func validate() throws {
    if el2, ttbr0 != nil { throw ValidationError("--el2 and --ttbr0 exclude each other.") }
  }

  /// The option as given; nil if none was.
  var given: String? { ttbr0.map { "--ttbr0 \($0)" } ?? (el2 ? "--el2" : nil) }
}
