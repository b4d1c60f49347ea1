import ArgumentParser
import Glibc
import KernelVA

/// `kva view`: a page that shows a dump, and pictures for documents.
struct ViewCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "view",
    abstract: "Write a page that shows the address space, RAM and the crash, or draw one picture.",
    discussion: """
      Example: kva view vmcore -o vmcore.html
      Example: kva view vmcore --svg walk init_task -o walk.svg
      """)

  @OptionGroup var options: DumpOptions

  @Argument(help: "The address or symbol of --svg walk.")
  var address: String?

  @Option(help: ArgumentHelp("Draw one picture, as SVG: strip, ram or walk.", valueName: "picture"))
  var svg: Picture?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The file to write; with --svg, standard output if none is given.", valueName: "file"),
    completion: .file())
  var output: String?

  enum Picture: String, ExpressibleByArgument, CaseIterable {
    /// The regions of the address space.
    case strip
    /// RAM by use.
    case ram
    /// The look-up of an address.
    case walk
  }

  func validate() throws {
    if svg == nil, output == nil { throw ValidationError("Name the page with -o FILE, or draw with --svg.") }
    if svg == .walk, address == nil { throw ValidationError("--svg walk needs an address.") }
    if svg != .walk, address != nil { throw ValidationError("An address goes with --svg walk.") }
    if let output, FileIdentity.areSame(output, options.dump) {
      throw ValidationError("\(output) is the dump itself; name another file.")
    }
    if options.json {
      throw ValidationError("Pictures have no JSON; regions, ptdump, page --all and resolve --walk do.")
    }
  }

  func run() throws {
    let collected = CollectedOutput()
    let session = Session(options, Output(.collected(collected)), readsQueries: false)
    let kernel = try session.kernel
    if let svg {
      try draw(svg, kernel, session)
    } else {
      session.output.viewJSON(ViewData(kernel, path: options.dump), kernel)
    }
    session.output.flush()
    let bytes = svg == nil ? ViewPage.html(collected.bytes) : collected.bytes
    guard let output else { return Output().raw(bytes) }
    var file = try OutputFile(output)
    try file.write(bytes.rawSpan, at: 0)
    try file.finish(size: UInt64(bytes.count))
    let told = Output(.file(STDOUT_FILENO), options.display.display(on: STDOUT_FILENO))
    told.folded { told.text("\(output): \(bytes.count) bytes\n") }
    told.flush()
  }

  private func draw(_ picture: Picture, _ kernel: Kernel, _ session: Session) throws {
    switch picture {
    case .strip:
      guard let listing = kernel.regions() else {
        session.report(.layoutUnknown, "nothing tells how this kernel divides its addresses")
        throw ExitCode.notFound
      }
      session.output.regionsSVG(listing.regions, kernel)
    case .ram:
      guard let reader = kernel.pageReader else {
        let words = "struct page is not known, or where it is"
        session.report(kernel.typeAbsence?.explaining(words) ?? Diagnostic(.typeUnknown, "page", words))
        throw ExitCode.notFound
      }
      session.output.framesSVG(FrameMap(reader, kernel), kernel)
    case .walk:
      let resolution = kernel.resolve(address ?? "", trace: true)
      guard resolution.virtual != nil, resolution.regime != nil, resolution.walk != nil else {
        session.report(
          resolution.message?.explaining(resolution.query)
            ?? Diagnostic(.queryMalformed, resolution.query, "\(resolution.query): \(resolution.status.rawValue)"))
        throw ExitCode.notFound
      }
      session.output.walkSVG(resolution, kernel)
    }
  }
}

extension FileIdentity {
  /// Whether two paths name the same file.
  static func areSame(_ one: String, _ other: String) -> Bool {
    guard let first = FileIdentity(path: one), let second = FileIdentity(path: other) else { return false }
    return first == second
  }
}
