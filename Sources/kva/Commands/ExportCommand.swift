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
      Example: kva export vmcore --kdump zstd -o vmcore.kdump
      Example: kva export vmcore --core 1 -o init.core
      Example: kva export vmcore --symbols -o kernel.sym
      """)

  @OptionGroup var options: DumpOptions

  @Option(name: .shortAndLong, help: "The file to write.", completion: .file())
  var output: String

  @Flag(help: "An ELF core by virtual address, for gdb and lldb.")
  var virtual = false

  @Flag(help: "An ELF core by physical address with VMCOREINFO, for drgn, crash and makedumpfile.")
  var physical = false

  @Option(
    help: ArgumentHelp(
      "A kdump-compressed file, as makedumpfile writes it: zlib, lzo, snappy or zstd.", valueName: "codec"))
  var kdump: PageCompression?

  @Option(
    help: ArgumentHelp(
      "The user part of a process as an ELF core, for gdb: a PID, cpuN, or the 0x-prefixed address of a task_struct.",
      valueName: "task"))
  var core: String?

  @Flag(help: "An ELF file of the symbols of the kernel, its modules and BPF programs.")
  var symbols = false

  @Flag(help: "With --virtual: the array of struct page as well.")
  var vmemmap = false

  @Flag(help: "With --virtual or --physical: every task is a thread, besides the CPUs.")
  var tasks = false

  @Option(
    help: ArgumentHelp(
      "With --virtual, --physical or --kdump: only pages of these parts: tables, text, data, tasks, log, stacks, types.",
      valueName: "parts"),
    transform: PageSelection.Part.list)
  var only: Set<PageSelection.Part>?

  @Flag(help: "With --virtual, --physical or --kdump: no memory of processes, page cache, free pages or keys.")
  var noUser = false

  func validate() throws {
    guard [virtual, physical, symbols, kdump != nil, core != nil].count(where: { $0 }) == 1 else {
      throw ValidationError("Give one of --virtual, --physical, --kdump, --core and --symbols.")
    }
    if vmemmap, !virtual { throw ValidationError("--vmemmap goes with --virtual.") }
    if tasks, !virtual, !physical { throw ValidationError("--tasks goes with --virtual or --physical.") }
    if only != nil || noUser, symbols || core != nil {
      throw ValidationError("--only and --no-user go with --virtual, --physical or --kdump.")
    }
    try options.checkOutput(output)
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
    if let core { return try write(core, session) }
    let selection = PageSelection(only: only, hidesUser: noUser)
    let progress = Progress("writing \(output)", of: try session.dump)
    defer { progress?.end() }
    if let kdump {
      let summary = try kernel.exportKdump(kdump, selection, to: output, progress: { progress?.advance($0) })
      progress?.end()
      try say(
        summary.pages * kernel.regime.granule.size, "a file of \(Words.size(summary.fileSize))",
        unreadable: summary.unreadable, session)
      return
    }
    let summary = try kernel.exportCore(
      physical ? .physical : .virtual(vmemmap: vmemmap), tasks: tasks, selection, to: output,
      progress: { progress?.advance($0) })
    progress?.end()
    for note in summary.notes { session.report(note) }
    try say(summary.bytes, "\(summary.segments) segments", unreadable: UInt64(summary.unreadable), session)
  }

  /// Writes the core of a process.
  private func write(_ process: String, _ session: Session) throws {
    let kernel = try session.kernel
    let task: KernelTask
    switch kernel.task(named: process) {
    case .success(let found): task = found
    case .failure(let failure):
      session.report(failure.diagnostic)
      throw ExitCode.notFound
    }
    guard let summary = try kernel.exportProcess(of: task, to: output, progress: { _ in }) else {
      session.report(.withoutUserSpace(task))
      throw ExitCode.notFound
    }
    for note in summary.notes { session.report(note) }
    let absent =
      summary.unavailable > 0 ? "; \(Words.size(summary.unavailable)) are in swap or not in the dump" : ""
    let threads = summary.threads == 1 ? "1 thread" : "\(summary.threads) threads"
    say("\(Words.size(summary.bytes)) of memory in \(summary.segments) segments, \(threads)\(absent)", session)
  }

  /// Reports how much memory the file has.
  private func say(_ bytes: UInt64, _ place: String, unreadable: UInt64, _ session: Session) throws {
    if unreadable > 0 {
      session.report(.pagesMissing, "\(unreadable) pages that the dump should have cannot be read, and were left out")
    }
    let filtered = try session.dump.summary.bytesFiltered
    let absent = filtered > 0 ? "; \(Words.size(filtered)) were filtered out of the dump, and are not in it" : ""
    say("\(Words.size(bytes)) of memory in \(place)\(absent)", session)
  }

  private func say(_ what: String, _ session: Session) {
    session.output.folded { session.output.text("\(output): \(what)\n") }
    session.output.flush()
  }
}

extension DumpOptions {
  /// Throws if `path` is the dump.
  func checkOutput(_ path: String) throws {
    if FileIdentity.areSame(path, dump) { throw ValidationError("\(path) is the dump itself; name another file.") }
  }
}

extension PageCompression: ExpressibleByArgument {}

extension PageSelection.Part {
  /// The parts in the comma-separated list `text`.
  fileprivate static func list(_ text: String) throws -> Set<Self> {
    try Set(
      text.split(separator: ",").map { word in
        guard let part = Self(rawValue: String(word)) else {
          let known = Self.allCases.map(\.rawValue).joined(separator: ", ")
          throw ValidationError("There is no part '\(word)'; there are \(known).")
        }
        return part
      })
  }
}
