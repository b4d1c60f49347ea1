import ArgumentParser
import KernelVA

/// `kva diff`: what differs between two dumps.
struct DiffCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Compare two dumps of one kernel or of two boots, whatever KASLR did.",
    discussion: """
      Small changes, which each moment brings, are left out unless --all is given.
      Exit status 0: nothing differs; 1: something does.

      Example: kva diff before.vmcore after.vmcore
      Example: kva diff before.vmcore after.vmcore --html > differences.html
      """)

  static var sampleArguments: [String] { ["-"] }

  @OptionGroup var options: DumpOptions

  @Argument(help: "The dump to compare it with.", completion: .file())
  var other: String

  @Option(help: "The ELF file of the first dump's kernel.", completion: .file())
  var vmlinuxA: String?

  @Option(help: "The ELF file of the second dump's kernel; without it, --vmlinux is for both.", completion: .file())
  var vmlinuxB: String?

  @Flag(help: "Show small changes, too.")
  var all = false

  @Flag(help: "Print an HTML page with both side by side.")
  var html = false

  mutating func take(_ arguments: [String]) throws {
    guard arguments.count == 1 else { throw ValidationError("Give one other dump.") }
    other = arguments[0]
  }

  func validate() throws {
    if html, options.json { throw ValidationError("Give --html or --json.") }
    if vmlinuxA != nil, options.access.vmlinux != nil { throw ValidationError("Give --vmlinux or --vmlinux-a.") }
  }

  func answer(_ session: Session) throws {
    var first = session
    if let vmlinuxA {
      var options = session.options
      options.access.vmlinux = vmlinuxA
      first = Session(options, session.output, readsQueries: false)
    }
    // Overrides of one boot's addresses do not apply to the other's.
    var options = session.options
    options.dump = other
    options.access.vmlinux = vmlinuxB ?? session.options.access.vmlinux
    options.access.kimageVoffset = nil
    options.access.physOffset = nil
    options.access.swapperPgDir = nil
    let before = KernelSnapshot(try first.kernel)
    let after = KernelSnapshot(try options.kernel(in: options.open()))
    for note in before.notes { session.report(note) }
    for note in after.notes { session.report(note, of: other) }
    let differences = Difference.all(before, after, includingSmall: all)
    let output = session.output
    if html {
      output.differencePage(differences, session.options.dump, other)
    } else if options.json {
      for difference in differences { output.differenceJSON(difference) }
    } else if !differences.isEmpty {
      output.differenceTable(differences)
    }
    if !differences.isEmpty { throw ExitCode.notFound }
  }
}
