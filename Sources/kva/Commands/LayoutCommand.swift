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
      Example: kva layout --kernel 7.0 --page-size 16K --va-bits 47 --svg > layout.svg
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

  @Flag(help: "Draw them as an SVG picture.")
  var svg = false

  @OptionGroup(title: "Output options") var display: DisplayOptions

  private func configuration() throws -> (era: LayoutEra, LayoutConfiguration) {
    guard let era = LayoutEra.of(kernel.version) else {
      throw ValidationError("Kernels before 4.6 had the image in the linear map; their layout is not known.")
    }
    guard let granule = Granule(size: pageSize.bytes) else {
      throw ValidationError("arm64 has no pages of \(pageSize.bytes) bytes.")
    }
    let configuration = LayoutConfiguration(
      granule: granule, vaBits: vaBits.bits, vaBitsActual: actual?.bits, kasan: kasan?.mode ?? .off)
    guard era.allows(configuration) else {
      let on = actual.map { " on hardware with \($0.bits)" } ?? ""
      throw ValidationError(
        "Linux \(era.name) has no kernel of \(Words.size(pageSize.bytes)) pages and \(vaBits.bits) bits\(on).")
    }
    return (era, configuration)
  }

  func validate() throws {
    if svg, display.json { throw ValidationError("Give --svg or --json.") }
    _ = try configuration()
  }

  func run() throws { try display.write(write) }

  func answer(_ session: Session) throws { try write(session.output) }

  private func write(_ output: Output) throws {
    let (era, configuration) = try configuration()
    let layout = AddressLayout(era: era, configuration)
    let rows = layout.rows(
      userBits: configuration.vaBitsActual, optionalShadow: era.optionalShadow(configuration))
    if svg {
      output.layoutSVG(era, configuration, rows)
    } else if display.json {
      output.layoutJSON(era, configuration, rows)
    } else {
      output.layoutText(era, configuration, rows)
    }
  }
}

/// A kernel version on the command line: `5.11`, or a release that begins like that.
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
    guard let mode = LayoutConfiguration.KASAN(rawValue: argument), mode != .off else { return nil }
    self.mode = mode
  }
  static let allValueStrings = ["generic", "sw-tags"]
}
