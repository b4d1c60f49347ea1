import ArgumentParser
import KernelVA

/// `kva page`: page frames and who has them.
struct PageCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "page",
    abstract: "Show page frames, their struct pages and who has them.",
    discussion: """
      A query is a PFN, in decimal or behind pfn:, or an address: of a struct page, of the kernel, or a physical one.

      Example: kva page vmcore 262144
      Example: kva page vmcore --summary
      """)

  static var takesSymbols: Bool { true }

  @OptionGroup var options: DumpOptions
  @OptionGroup var queries: Queries

  @Flag(name: .long, help: "Show all frames of RAM.")
  var all = false

  @Flag(name: .long, help: "Count the frames of RAM by use.")
  var summary = false

  mutating func take(_ arguments: [String]) { queries.arguments = arguments }

  func validate() throws {
    if all && summary || (all || summary) && !queries.arguments.isEmpty {
      throw ValidationError("Give frames, --all or --summary.")
    }
  }

  func answer(_ session: Session) throws {
    let kernel = try session.kernel
    guard let reader = kernel.pageReader else {
      let words = "struct page is not known, or where it is"
      session.report(kernel.typeAbsence?.explaining(words) ?? Diagnostic(.typeUnknown, "page", words))
      throw ExitCode.notFound
    }
    if summary { return summarise(kernel, reader, session.output) }
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
        let allocations = kernel.pageAllocations(of: number)
        if options.json {
          session.output.pageJSON(frame, owner, reader, allocations, kernel)
        } else {
          session.output.pageText(frame, owner, reader)
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
        let owner = owner?.owner(of: frame)
        if options.json {
          output.pageJSON(frame, owner, reader, [], kernel)
        } else {
          output.pageLine(frame, owner, reader)
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

  private func summarise(_ kernel: Kernel, _ reader: PageReader, _ output: Output) {
    var counts = [PageUse: UInt64]()
    for range in kernel.ramFrames {
      reader.forEachFrame(range) { frame in
        counts[frame.use, default: 0] += 1
        return true
      }
    }
    let rows = PageUse.allCases.compactMap { use in counts[use].map { (use.rawValue, $0) } }
    let total = ("total", counts.values.reduce(0, +))
    if options.json {
      for (use, count) in rows + [total] { output.pageSummaryJSON(use, count, kernel) }
    } else {
      output.pageSummaryTable(rows + [total], kernel)
    }
  }
}
