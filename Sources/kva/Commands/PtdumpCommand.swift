import ArgumentParser
import KernelVA

/// `kva ptdump`: every mapping.
struct PtdumpCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "ptdump",
    abstract: "List every mapping of the kernel's tables, those that are alike merged.",
    discussion: """
      Example: kva ptdump vmcore --region vmalloc
      Example: kva ptdump vmcore --format kernel > kernel_page_tables
      """)

  @OptionGroup var options: DumpOptions

  @Option(help: ArgumentHelp("Only addresses from A up to, not including, B.", valueName: "a-b"))
  var range: AddressRange?

  @Option(help: ArgumentHelp("Only one region, by the name that kva regions prints.", valueName: "name"))
  var region: RegionName?

  @OptionGroup var tables: TablesOptions

  @Option(help: ArgumentHelp("text, or kernel: what debugfs' kernel_page_tables would say.", valueName: "form"))
  var format: Form = .text

  enum Form: String, ExpressibleByArgument, CaseIterable { case text, kernel }

  func validate() throws {
    if format == .kernel, options.json || range != nil || region != nil {
      throw ValidationError("--format kernel prints all of the kernel's text; it goes with no part of it or --json.")
    }
    if region != nil, tables.given != nil {
      throw ValidationError("The tables of user space and of the hypervisor have no regions.")
    }
    if format == .kernel, tables.el2 {
      throw ValidationError("--format kernel is for tables that the kernel would list; the hypervisor's it does not.")
    }
    if region != nil, range != nil { throw ValidationError("Give --range or --region.") }
  }

  func answer(_ session: Session) throws {
    let kernel = try session.kernel
    let user = try session.regime(tables)
    let output = session.output
    if format == .kernel {
      let listed = kernel.kernelListing(user: user) { line in
        output.text(line)
        output.newline()
      }
      guard let listed else {
        session.report(.layoutUnknown, "nothing tells how this kernel divides its addresses")
        throw ExitCode.notFound
      }
      if !session.report(listed, kernel.dump) { throw ExitCode.notFound }
      return
    }
    var spans: [ClosedRange<UInt64>?] = [range?.addresses]
    let regime = user ?? kernel.regime
    if let range = range?.addresses, range.upperBound < regime.firstAddress || range.lowerBound > regime.lastAddress {
      let whose = tables.el2 ? "hypervisor" : user == nil ? "kernel" : "user"
      session.report(
        .notCanonical,
        "there are no \(whose) addresses in this range"
          + (user == nil && range.upperBound >> 55 & 1 == 0 ? "; for user space give --ttbr0 PID" : ""))
      throw ExitCode.notFound
    }
    if region?.region == .user {
      session.report(
        .userTablesUnknown,
        "the tables of user space are those of a process: give --ttbr0 PID instead of --region user")
      throw ExitCode.notFound
    }
    if let region {
      spans = kernel.addresses(of: region.region)
      if spans.isEmpty {
        session.report(.noSuchRegion, "this kernel has no region '\(region.region.rawValue)'")
        throw ExitCode.notFound
      }
    }
    var isWhole = true
    // Loaded once, outside the loop over lines.
    let (json, format, types) = (options.json, regime.format, kernel.memoryTypes?.value)
    let hypervisor = regime.register.isSingleRange ? kernel : nil
    func doubt(_ range: MappedRange) -> Diagnostic? {
      guard user == nil else { return nil }
      return kernel.doubt(of: VirtualAddress(range.first)) ?? kernel.doubt(of: VirtualAddress(range.last))
    }
    if !json { output.mappedRangeHeader() }
    for span in spans {
      let pass = kernel.mappedRanges(span, user: user) { range in
        if json {
          output.mappedRangeJSON(range, format, types, hypervisor, doubt(range))
        } else {
          output.mappedRangeText(range, format, types, hypervisor, doubt(range))
        }
      }
      isWhole = session.report(pass, kernel.dump) && isWhole
    }
    if !isWhole { throw ExitCode.notFound }
  }
}

/// `A-B` in hex, with or without 0x; B is exclusive, and 0 the end of the space. A range as kva prints it, which ends
/// with the last byte of a page, is also accepted.
struct AddressRange: ExpressibleByArgument {
  let addresses: ClosedRange<UInt64>
  init?(argument: String) {
    let parts = argument.split(separator: "-", omittingEmptySubsequences: false)
    func number(_ text: Substring) -> UInt64? {
      let digits = text.hasPrefix("0x") || text.hasPrefix("0X") ? text.dropFirst(2) : text
      return digits.first?.isHexDigit == true ? UInt64(digits, radix: 16) : nil
    }
    guard parts.count == 2, let first = number(parts[0]), let end = number(parts[1]), first <= end &- 1 else {
      return nil
    }
    addresses = first...(end & 0xfff == 0xfff ? end : end &- 1)
  }
}

/// A region by its name, or the beginning of one that no other has; a `-` may stand for a blank.
struct RegionName: ExpressibleByArgument {
  let region: Region
  init?(argument: String) {
    let name = String(argument.lowercased().map { $0 == "-" ? " " : $0 })
    let like = Self.all.filter { $0.rawValue.hasPrefix(name) }
    guard let region = like.first(where: { $0.rawValue == name }) ?? (like.count == 1 ? like.first : nil) else {
      return nil
    }
    self.region = region
  }
  private static let all = Region.allCases.filter { $0 != .hypervisor }
  static let allValueStrings = all.map { String($0.rawValue.map { $0 == " " ? "-" : $0 }) }
}
