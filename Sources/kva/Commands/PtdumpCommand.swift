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
      guard let (result, problems) = listed else {
        session.report("nothing tells how this kernel divides its addresses; see kva info")
        throw ExitCode.notFound
      }
      if !session.report(result, problems, kernel.dump) { throw ExitCode.notFound }
      return
    }
    var spans: [ClosedRange<UInt64>?] = [range?.addresses]
    if let region {
      spans = kernel.addresses(of: region.region)
      if spans.isEmpty {
        session.report("this kernel has no region '\(region.region.rawValue)'; kva regions lists those it has")
        throw ExitCode.notFound
      }
    }
    var isWhole = true
    // What every line needs is taken out of the objects that hold it once.
    let regime = user ?? kernel.regime
    let (json, format, types) = (options.json, regime.format, kernel.memoryTypes?.value)
    let hypervisor = regime.register.isSingleRange ? kernel : nil
    func doubt(_ range: MappedRange) -> String? {
      guard user == nil else { return nil }
      return kernel.doubt(of: VirtualAddress(range.first)) ?? kernel.doubt(of: VirtualAddress(range.last))
    }
    for span in spans {
      let (result, problems) = kernel.mappedRanges(span, user: user) { range in
        if json {
          output.mappedRangeJSON(range, format, types, hypervisor, doubt(range))
        } else {
          output.mappedRangeText(range, format, types, hypervisor, doubt(range))
        }
      }
      isWhole = session.report(result, problems, kernel.dump) && isWhole
    }
    if !isWhole { throw ExitCode.notFound }
  }
}

/// `A-B` in hex, with or without 0x; B is exclusive, and 0 the end of the space.
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
    addresses = first...(end &- 1)
  }
}

/// A region by its name.
struct RegionName: ExpressibleByArgument {
  let region: Region
  init?(argument: String) {
    guard let region = Region(rawValue: argument) else { return nil }
    self.region = region
  }
  static let allValueStrings = Region.allCases.filter { $0 != .hypervisor }.map(\.rawValue)
}

extension Output {
  /// One range as a JSON object; `attributes` are the entries' own bits, whatever the tables above say.
  ///
  /// - Parameters:
  ///   - hypervisor: the kernel, where the tables are the hypervisor's.
  ///   - doubt: why it may be no mapping.
  func mappedRangeJSON(
    _ range: MappedRange, _ format: DescriptorFormat, _ types: MemoryAttributeIndirection?, _ hypervisor: Kernel?,
    _ doubt: String?
  ) {
    jsonLine { object in
      object.hex("start", range.first)
      object.hex("end", range.last &+ 1)
      object.hex("physical", range.physical.rawValue)
      object.bool("consecutive", range.isConsecutive)
      object.number("size", range.size)
      object.number("level", range.level)
      object.string("kind", range.level == 3 ? "page" : "block")
      object.string("region", range.region?.rawValue)
      object.hypervisorAddress(hypervisor?.hypervisorAddress(of: range))
      object.object("attributes") { attributes in
        let raw = range.descriptor.rawValue
        let own = Attributes(range.descriptor)
        attributes.bool("writable", raw >> 7 & 1 == 0)
        let isSingle = hypervisor != nil
        attributes.bool("executableEL1", isSingle ? nil : raw >> 53 & 1 == 0)
        attributes.bool("executableEL0", isSingle ? nil : raw >> 54 & 1 == 0)
        if isSingle { attributes.bool("executableEL2", raw >> 54 & 1 == 0) }
        attributes.bool("user", !isSingle && raw >> 6 & 1 == 1)
        attributes.bool("accessed", own.isAccessed)
        attributes.bool("global", own.isGlobal)
        attributes.string("memoryType", types?.memoryType(own.attrIndex).rawValue)
        attributes.number("attrIndex", own.attrIndex)
        attributes.string("shareability", own.shareability(format).map(Words.name))
        attributes.bool("contiguous", own.isContiguous)
        attributes.bool("guarded", own.isGuarded)
      }
      if let doubt { object.string("doubt", doubt) }
    }
  }

  /// One range as a line: addresses, size, where it is, level, permissions, type, region.
  func mappedRangeText(
    _ range: MappedRange, _ format: DescriptorFormat, _ types: MemoryAttributeIndirection?, _ hypervisor: Kernel?,
    _ doubt: String?
  ) {
    let raw = range.descriptor.rawValue
    let own = Attributes(range.descriptor)
    digits(range.first, atLeast: 16)
    byte(UInt8(ascii: "-"))
    digits(range.last, atLeast: 16)
    size(range.size, width: 9)
    text("  ")
    hex(range.physical.rawValue)
    text(range.isConsecutive ? "  L" : ", ...  L")
    text(Words.level(range.level))
    text(" ")
    text(raw >> 7 & 1 == 0 ? "rw" : "r-")
    if hypervisor != nil {
      text(raw >> 54 & 1 == 0 ? "x" : "-")
    } else {
      text(raw >> 53 & 1 == 0 ? "x" : "-")
      if raw >> 54 & 1 == 0 { text(" EL0-x") }
      if raw >> 6 & 1 == 1 { text(" EL0") }
    }
    if !own.isAccessed { text(" !AF") }
    if !own.isGlobal { text(" nG") }
    if own.isContiguous { text(" cont") }
    if own.isGuarded { text(" GP") }
    if let type = types?.memoryType(own.attrIndex) {
      text(" ")
      text(type.rawValue)
    }
    if let sharing = own.shareability(format), sharing != .inner { text(" \(Words.name(sharing))-shareable") }
    if let region = range.region {
      text("  ")
      text(region.rawValue)
    }
    if let place = hypervisor?.hypervisorAddress(of: range) { text(", \(Words.place(place))") }
    if let doubt { text("; doubtful: \(doubt)") }
    newline()
  }
}
