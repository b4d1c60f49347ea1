import ArgumentParser
import KernelVA

/// `kva layout`: the memory map of any kernel, without a dump.
struct LayoutCommand: AnsweringCommand {
  static let configuration = CommandConfiguration(
    commandName: "layout",
    abstract: "Show the memory map and the table lookup of any kernel version, page size and VA width.",
    discussion: """
      Example: kva layout --kernel 5.11 --page-size 64K --va-bits 52
      Example: kva layout --kernel 6.12 --page-size 4K --va-bits 52 --actual 48 --json
      """)

  @Option(help: ArgumentHelp("The kernel version, such as 5.11.", valueName: "version"))
  var kernel: Version

  @Option(help: ArgumentHelp("4K, 16K or 64K.", valueName: "size"))
  var pageSize: PageSize

  @Option(help: ArgumentHelp("VA_BITS.", valueName: "bits"))
  var vaBits: VAWidth

  @Option(help: ArgumentHelp("The width that the hardware has, where it is less.", valueName: "bits"))
  var actual: VAWidth?

  @Option(help: ArgumentHelp("The mode of KASAN: generic or sw-tags.", valueName: "mode"))
  var kasan: Shadow?

  @Flag(help: "Print one JSON object a line.")
  var json = false

  private func configuration() throws -> (era: LayoutEra, LayoutConfiguration) {
    guard let era = LayoutEra.of(kernel.version) else {
      throw ValidationError("Kernels before 4.6 had the image in the linear map; their layout is not known.")
    }
    guard let granule = Granule(size: pageSize.bytes) else {
      throw ValidationError("arm64 has no pages of \(pageSize.bytes) bytes.")
    }
    let configuration = LayoutConfiguration(
      granule: granule, vaBits: vaBits.bits, vaBitsActual: actual?.bits, kasan: kasan?.mode ?? .none)
    guard era.allows(configuration) else {
      let on = actual.map { " on hardware with \($0.bits)" } ?? ""
      throw ValidationError(
        "Linux \(era.name) has no kernel of \(Words.size(pageSize.bytes)) pages and \(vaBits.bits) bits\(on).")
    }
    return (era, configuration)
  }

  func validate() throws { _ = try configuration() }

  func run() throws {
    let output = Output()
    try write(output)
    output.flush()
  }

  func answer(_ session: Session) throws { try write(session.output) }

  private func write(_ output: Output) throws {
    let (era, configuration) = try configuration()
    let layout = AddressLayout(era: era, configuration)
    let rows = layout.rows(
      userBits: configuration.vaBitsActual, optionalShadow: era.optionalShadow(configuration))
    if json {
      for row in rows {
        output.jsonLine { object in
          object.layoutRow(row)
          object.string("source", "the layout of Linux \(era.name)\(row.isOptional ? ", if it has KASAN" : "")")
          if row.isOptional { object.bool("optional", true) }
        }
      }
      for field in configuration.lookup {
        output.jsonLine { object in
          object.number("level", field.level)
          object.number("highBit", field.highBit)
          object.number("lowBit", field.lowBit)
        }
      }
    } else {
      text(output, era, configuration, rows)
    }
  }

  private func text(_ output: Output, _ era: LayoutEra, _ configuration: LayoutConfiguration, _ rows: [LayoutRow]) {
    let lookup = configuration.lookup
    let pages = "\(Words.size(configuration.granule.size)) pages"
    output.text("Linux \(era.name), \(pages), \(lookup.count) levels, \(configuration.vaBits) bits")
    if configuration.vaBits != configuration.vaBitsActual {
      output.text(" on hardware with \(configuration.vaBitsActual)")
    }
    if configuration.kasan != .none { output.text(", KASAN \(configuration.kasan.rawValue)") }
    output.text("\n\nStart             End                 Size  Use\n")
    for row in rows {
      // What is not usable as memory, and KASAN's share of the linear map, stand in brackets.
      let isAside = [.guardRegion, .hole, .kasanShadow].contains(row.region)
      output.layoutBounds(row)
      output.padded(Words.roughSize(row.span), 8)
      output.text(isAside ? "  [\(row.region.rawValue)]\n" : "  \(row.region.rawValue)\n")
    }
    output.text("\nTable lookup with \(pages):\n\n")
    output.text("  bit 55   selects TTBR0 (0) or TTBR1 (1); bits 54:\(configuration.vaBitsActual) equal it\n")
    for field in lookup {
      let bits = "\(field.highBit):\(field.lowBit)"
      output.text("  \(bits)")
      output.spaces(9 - bits.utf8.count)
      output.text("index in the table of level \(field.level)")
      let inUse = configuration.vaBitsActual - 1
      if field == lookup.first, inUse < field.highBit {
        output.text(" (\(inUse):\(field.lowBit) in use)")
      }
      output.newline()
    }
    let bits = "\(configuration.granule.pageShift - 1):0"
    output.text("  \(bits)")
    output.spaces(9 - bits.utf8.count)
    output.text("offset in the page\n")
  }
}

/// A kernel version on the command line: `5.11`, or a release that begins so.
struct Version: ExpressibleByArgument {
  let version: KernelVersion
  init?(argument: String) {
    guard let version = KernelVersion(release: argument) else { return nil }
    self.version = version
  }
}

/// A mode of KASAN that keeps a shadow.
struct Shadow: ExpressibleByArgument {
  let mode: LayoutConfiguration.KASAN
  init?(argument: String) {
    guard let mode = LayoutConfiguration.KASAN(rawValue: argument), mode != .none else { return nil }
    self.mode = mode
  }
  static let allValueStrings = ["generic", "sw-tags"]
}
