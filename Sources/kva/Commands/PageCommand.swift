import ArgumentParser
import KernelVA

/// `kva page`: page frames and their owners.
struct PageCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "page",
    abstract: "Show page frames, their struct pages and who has them.",
    discussion: """
      A query is a PFN, in decimal or behind pfn:, or an address: of a struct page, of the kernel, or a physical one.

      Example: kva page vmcore 262144
      Example: kva page vmcore --summary
      Example: kva page vmcore --summary --of 1
      """)

  static var takesSymbols: Bool { true }

  @OptionGroup var options: DumpOptions
  @OptionGroup var queries: Queries

  @Flag(name: .long, help: "Show all frames of RAM.")
  var all = false

  @Flag(name: .long, help: "Count the frames of RAM by use.")
  var summary = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "With --summary, count what a process has mapped, or what a memory cgroup (/PATH) is charged for.",
      valueName: "task"))
  var of: String?

  mutating func take(_ arguments: [String]) { queries.arguments = arguments }

  func validate() throws {
    if all && summary || (all || summary) && !queries.arguments.isEmpty {
      throw ValidationError("Give frames, --all or --summary.")
    }
    if of != nil, !summary { throw ValidationError("--of goes with --summary.") }
  }

  func answer(_ session: Session) throws {
    let kernel = try session.kernel
    guard let reader = kernel.pageReader else {
      let words = "struct page is not known, or where it is"
      session.report(kernel.typeAbsence?.explaining(words) ?? Diagnostic(.typeUnknown, "page", words))
      throw ExitCode.notFound
    }
    if summary { return try summarise(kernel, reader, session) }
    if all { return try showAll(kernel, reader, session) }
    var allFound = true
    try queries.forEach(session) { query in
      switch kernel.pageFrame(query) {
      case .failure(let failure):
        allFound = false
        session.report(failure.diagnostic.explaining(query))
      case .success(let number):
        let frame = reader.frame(number)
        if frame.words == nil { allFound = false }
        let owner = kernel.pageOwner?.owner(of: frame)
        let cgroup = kernel.pageOwner?.cgroup(of: frame)
        let allocations = kernel.pageAllocations(of: number)
        if options.json {
          session.output.pageJSON(frame, owner, cgroup, reader, allocations, kernel)
        } else {
          session.output.pageText(frame, owner, cgroup, reader)
          session.output.pageAllocationsText(allocations, kernel)
        }
      }
    }
    if !allFound { throw ExitCode.notFound }
  }

  private func showAll(_ kernel: Kernel, _ reader: PageReader, _ session: Session) throws {
    let output = session.output
    let owner = kernel.pageOwner
    var isWhole = true
    for range in kernel.ramFrames {
      reader.forEachFrame(range) { frame in
        if frame.use == .filtered { isWhole = false }
        if options.json {
          output.pageJSON(frame, owner?.owner(of: frame), owner?.cgroup(of: frame), reader, [], kernel)
        } else {
          output.pageLine(frame, owner?.owner(of: frame), reader)
        }
        return !output.isDropped
      }
      try session.checkListener()
    }
    if !isWhole {
      session.report(.pageFiltered, "the struct pages of some frames were filtered out of the dump")
      throw ExitCode.notFound
    }
  }

  private func summarise(_ kernel: Kernel, _ reader: PageReader, _ session: Session) throws {
    let output = session.output
    var counts = [PageUse: UInt64]()
    var isWhole = true
    if let of, !of.hasPrefix("/") {
      isWhole = try countProcess(of, kernel, reader, session, &counts)
    } else {
      let owner = of == nil ? nil : kernel.pageOwner
      for range in kernel.ramFrames {
        reader.forEachFrame(range) { frame in
          guard let of else {
            counts[frame.use, default: 0] += 1
            return true
          }
          // A cgroup includes the charges of its descendants.
          if let path = owner?.cgroup(of: frame), path == of || path.hasPrefix(of == "/" ? of : of + "/") {
            counts[frame.use, default: 0] += 1
          }
          return true
        }
      }
      if let of, counts.isEmpty {
        session.report(Diagnostic(.noneMatches, of, "no page is charged to a memory cgroup '\(of)'"))
        throw ExitCode.notFound
      }
    }
    let rows = PageUse.allCases.compactMap { use in counts[use].map { (use.rawValue, $0) } }
    let total = ("total", counts.values.reduce(0, +))
    if options.json {
      for (use, count) in rows + [total] { output.pageSummaryJSON(use, count, kernel) }
    } else {
      output.pageSummaryTable(rows + [total], kernel)
    }
    if !isWhole {
      session.report(.tableUnreadable, "a table of user space cannot be read: pages may be missing")
      throw ExitCode.notFound
    }
  }

  /// Counts the frames that the process `text` maps.
  ///
  /// - Returns: whether all its tables could be read.
  private func countProcess(
    _ text: String, _ kernel: Kernel, _ reader: PageReader, _ session: Session, _ counts: inout [PageUse: UInt64]
  ) throws -> Bool {
    func fail(_ diagnostic: Diagnostic) -> ExitCode {
      session.report(diagnostic)
      return ExitCode.notFound
    }
    switch kernel.task(named: text) {
    case .failure(let failure): throw fail(failure.diagnostic)
    case .success(let task):
      guard let (frames, isWhole) = kernel.userFrames(of: task) else {
        throw fail(
          Diagnostic(
            .kernelThread, "\(task.pid)", "PID \(task.pid) (\(task.comm)) is a kernel thread: it has no user space"))
      }
      for frame in frames { counts[reader.frame(frame).use, default: 0] += 1 }
      return isWhole
    }
  }
}
