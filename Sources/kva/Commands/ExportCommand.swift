import ArgumentParser
import Glibc
import KernelVA

/// `kva export`: files that other tools open.
struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write what is in a dump as a file that other tools open.",
    discussion: """
      Example: kva export vmcore --physical -o vmcore.elf
      Example: kva export vmcore --symbols -o kernel.sym
      """)

  @OptionGroup var options: DumpOptions

  @Option(name: .shortAndLong, help: "The file to write.", completion: .file())
  var output: String

  @Flag(help: "An ELF core by virtual address, for gdb and lldb.")
  var virtual = false

  @Flag(help: "An ELF core by physical address with VMCOREINFO, for drgn, crash and makedumpfile.")
  var physical = false

  @Flag(help: "An ELF file of the symbols of the kernel, its modules and BPF programs.")
  var symbols = false

  @Flag(help: "With --virtual: the array of struct page as well.")
  var vmemmap = false

  @Flag(help: "With --virtual or --physical: every task is a thread, besides the CPUs.")
  var tasks = false

  func validate() throws {
    guard [virtual, physical, symbols].count(where: { $0 }) == 1 else {
      throw ValidationError("Give one of --virtual, --physical and --symbols.")
    }
    if vmemmap, !virtual { throw ValidationError("--vmemmap goes with --virtual.") }
    if tasks, symbols { throw ValidationError("--tasks goes with --virtual or --physical.") }
    guard !Self.isSameFile(output, options.dump) else {
      throw ValidationError("\(output) is the dump itself; name another file.")
    }
  }

  func run() throws {
    let session = Session(
      options, Output(.file(STDOUT_FILENO), options.display.display(on: STDOUT_FILENO)), readsQueries: false)
    let kernel = try session.kernel
    if symbols {
      let count = try kernel.exportSymbols(to: output)
      for note in kernel.symbolNotes { session.report(note) }
      return say("\(count) symbols", session)
    }
    let progress = Progress("writing \(output)", of: try session.dump)
    let summary: CoreSummary
    do {
      summary = try kernel.exportCore(
        physical ? .physical : .virtual(vmemmap: vmemmap), tasks: tasks, to: output,
        progress: { progress?.advance($0) })
    } catch {
      progress?.end()
      throw error
    }
    progress?.end()
    for note in summary.notes { session.report(note) }
    if summary.unreadable > 0 {
      session.report(
        .pagesMissing, "\(summary.unreadable) pages that the dump should have cannot be read, and were left out")
    }
    let filtered = try session.dump.summary.bytesFiltered
    let absent = filtered > 0 ? "; \(Words.size(filtered)) were filtered out of the dump, and are not in it" : ""
    say("\(Words.size(summary.bytes)) of memory in \(summary.segments) segments\(absent)", session)
  }

  private func say(_ what: String, _ session: Session) {
    session.output.folded { session.output.text("\(output): \(what)\n") }
    session.output.flush()
  }

  private static func isSameFile(_ one: String, _ other: String) -> Bool {
    guard let first = FileIdentity(path: one), let second = FileIdentity(path: other) else { return false }
    return first == second
  }
}
