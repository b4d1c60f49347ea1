import ArgumentParser
import KernelVA

/// `kva resolve`: virtual address or symbol to physical address.
struct ResolveCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "resolve",
    abstract: "Translate virtual addresses and symbols by the tables in the dump.",
    discussion: """
      Example: kva resolve vmcore swapper_pg_dir+8 0xffff80000a1c2d40 --walk
      Example: cut -f1 pointers.txt | kva resolve vmcore --json
      """,
    aliases: ["vtop"])

  @OptionGroup var options: DumpOptions
  @OptionGroup var queries: Queries

  @Flag(help: "Show every descriptor on the way.")
  var walk = false

  @OptionGroup var tables: TablesOptions

  @Flag(help: "Show beside the walked answer what the kernel's own arithmetic says.")
  var verify = false

  mutating func take(_ arguments: [String]) { queries.arguments = arguments }

  func answer(_ session: Session) throws {
    let kernel = try session.kernel
    let arithmetic = verify ? Arithmetic(kernel) : nil
    let user = try session.regime(tables)
    let output = session.output
    var allFound = true
    try queries.forEach(session) { query in
      let resolution = kernel.resolve(query, trace: walk, user: user)
      let check = arithmetic.flatMap { arithmetic in
        resolution.virtual.flatMap { arithmetic.answer($0, in: resolution.region) }
      }
      if resolution.status != .mapped { allFound = false }
      if let check, check.physical != resolution.physical { allFound = false }
      if options.json {
        output.resolutionJSON(resolution, kernel, check)
      } else {
        output.resolutionText(resolution, kernel, withWalk: walk, check)
      }
    }
    if !allFound { throw ExitCode.notFound }
  }
}

extension Output {
  /// The answer as one JSON object; the fields are those of kva(1).
  func resolutionJSON(_ resolution: Resolution, _ kernel: Kernel, _ check: Arithmetic.Answer? = nil) {
    jsonLine { object in
      object.string("query", resolution.query)
      object.string("status", resolution.status.rawValue)
      if let virtual = resolution.virtual { object.hex("virtual", virtual.rawValue) }
      if let tag = resolution.tag {
        object.hex("tag", UInt64(tag))
        object.bool("tbi", resolution.topByteIgnored)
      }
      if let leaf = resolution.leaf {
        object.hex("physical", leaf.physical.rawValue)
        object.bool("inDump", resolution.absence == nil)
      }
      object.string("region", resolution.region?.rawValue)
      if let virtual = resolution.virtual {
        if resolution.region == .kernelImage, let section = kernel.imageSection(of: virtual) {
          object.string("section", section)
        }
        if let frame = kernel.frame(of: virtual, in: resolution.region, mappedTo: resolution.physical) {
          object.number("frame", frame)
        }
        if let slot = kernel.fixmapSlot(of: virtual, in: resolution.region) { object.number("slot", slot) }
      }
      if let check {
        object.object("arithmetic") { answer in
          answer.hex("physical", check.physical.rawValue)
          answer.bool("agrees", check.physical == resolution.physical)
          answer.string("rule", check.rule)
        }
      }
      if let symbol = resolution.symbol {
        object.string("symbol", symbol.name)
        object.number("offset", resolution.symbolOffset)
        if let module = symbol.module { object.string("module", module) }
      }
      object.hypervisorAddress(resolution.hypervisor)
      if let page = resolution.absentPage { object.absentPage(page) }
      if let leaf = resolution.leaf, let regime = resolution.regime {
        object.object("mapping") { mapping in
          mapping.number("level", leaf.level)
          mapping.string("kind", leaf.level == 3 ? "page" : "block")
          mapping.number("size", leaf.size)
          mapping.bool("contiguous", leaf.attributes.isContiguous)
        }
        object.object("attributes") { $0.attributes(leaf.attributes, regime, kernel) }
      }
      if let regime = resolution.regime {
        object.object("root") { root in
          root.string("register", regime.register.rawValue)
          root.hex("table", regime.root.rawValue)
        }
      }
      if let steps = resolution.walk {
        object.array("walk", steps) { step, value in
          step.number("level", value.level)
          step.number("index", value.index)
          step.hex("address", value.address.rawValue)
          step.hex("descriptor", value.descriptor.rawValue)
          step.string("kind", Words.name(value.kind))
        }
      }
      if let doubt = resolution.doubt { object.string("doubt", doubt) }
      if let message = resolution.message { object.string("message", message) }
    }
  }

  /// The answer as one line for people, the walk below it where asked for.
  func resolutionText(
    _ resolution: Resolution, _ kernel: Kernel, withWalk: Bool, _ check: Arithmetic.Answer? = nil
  ) {
    text(resolution.query.isEmpty ? "(empty)" : resolution.query)
    if let virtual = resolution.virtual, resolution.query != "0x" + String(virtual.rawValue, radix: 16) {
      text(" = ")
      hex(virtual.rawValue)
    }
    if let leaf = resolution.leaf, let regime = resolution.regime {
      text(" -> ")
      hex(leaf.physical.rawValue)
      text("  ")
      if let region = resolution.region { text("\(region.rawValue), ") }
      text("\(Words.size(leaf.size)) \(leaf.level == 3 ? "page" : "block"), ")
      text(Words.permissions(leaf.attributes))
      if let type = kernel.memoryTypes?.value.memoryType(leaf.attributes.attrIndex) { text(", \(type.rawValue)") }
      if let sharing = leaf.attributes.shareability(regime), sharing != .inner {
        text(", \(Words.name(sharing)) shareable")
      }
      if leaf.attributes.isContiguous { text(", contiguous") }
      if resolution.absence != nil, let message = resolution.message { text("; \(message)") }
    } else {
      text(": ")
      styled(resolution.status.rawValue, .bad)
      if let region = resolution.region { text(" (\(region.rawValue))") }
      if let message = resolution.message { text(": \(message)") }
    }
    if let symbol = resolution.symbol, !resolution.query.hasPrefix(symbol.name) {
      let module = symbol.module.map { " [\($0)]" } ?? ""
      text("  <\(symbol.name)+0x\(String(resolution.symbolOffset, radix: 16))\(module)>")
    }
    if let tag = resolution.tag {
      text("; tag ")
      hex(UInt64(tag))
      text(" removed")
      switch resolution.topByteIgnored {
      case true?: text(", as the MMU does")
      case false?: text(", where the MMU would have faulted")
      case nil: text("; whether the MMU ignores it is not known")
      }
    }
    if let doubt = resolution.doubt { text("; doubtful: \(doubt)") }
    if let hypervisor = resolution.hypervisor { text("; \(Words.place(hypervisor))") }
    newline()
    if let check {
      text("    arithmetic ")
      if check.physical == resolution.physical { text("agrees: ") } else { styled("differs", .bad); text(": ") }
      hex(check.physical.rawValue)
      text(", \(check.rule)\n")
    }
    if withWalk, let steps = resolution.walk, let regime = resolution.regime {
      walkText(steps, regime, kernel)
    }
  }

  /// Each entry of a walk on a line: level, index, address, value, what it is, its bits.
  private func walkText(_ steps: [WalkStep], _ regime: TranslationRegime, _ kernel: Kernel) {
    text("    \(regime.register.rawValue) ")
    hex(regime.root.rawValue)
    text(": \(Words.size(regime.granule.size)) granule, \(regime.addressBits) bits")
    if regime.tableBits != regime.addressBits { text(" in tables of \(regime.tableBits)") }
    newline()
    for step in steps {
      text("    L\(step.level)")
      text("[\(step.index)] ")
      hex(step.address.rawValue)
      text(": 0x")
      digits(step.descriptor.rawValue, atLeast: 16)
      text(" \(Words.name(step.kind))")
      let shift = regime.granule.shift(level: step.level)
      switch step.kind {
      case .invalid, .reserved: break
      case .table:
        text(" -> ")
        hex(regime.format.outputAddress(step.descriptor.rawValue, shift: regime.granule.pageShift).rawValue)
        for word in Words.tableRestrictions(step.descriptor.tableAttributes) { text(", \(word)") }
      case .block, .page:
        text(" -> ")
        hex(regime.format.outputAddress(step.descriptor.rawValue, shift: shift).rawValue)
        text(", \(Words.size(1 << UInt64(shift)))")
        for word in Words.bits(Attributes(step.descriptor), regime, kernel) { text(", \(word)") }
      }
      newline()
    }
  }
}

extension Attributes {
  /// SH as `regime` has it.
  func shareability(_ regime: TranslationRegime) -> Shareability? { shareability(regime.format) }
}

extension JSONObject {
  /// What an address is to the hypervisor; nothing where it is none of its.
  mutating func hypervisorAddress(_ place: Hypervisor.Address?) {
    guard let place else { return }
    object("hypervisor") { object in
      object.hex("kernelAddress", place.kernelAddress)
      object.string("part", place.part.rawValue)
    }
  }

  /// What Linux keeps in an entry that is not valid.
  mutating func absentPage(_ page: AbsentPage) {
    string("entry", page.name)
    switch page {
    case .swapped(let type, let offset), .device(let type, let offset):
      number("swapType", type)
      hex("swapOffset", offset)
    case .protNone(let frame), .presentInvalid(let frame), .migration(let frame), .poisoned(let frame):
      hex("pagePhysical", frame.rawValue)
    case .marker(let value): hex("swapOffset", value)
    case .empty, .unknown: break
    }
  }
}

extension Words {
  /// The part of the hypervisor's addresses that one is in, and the kernel's address of the same byte.
  static func place(_ place: Hypervisor.Address) -> String {
    "\(place.part.rawValue) part" + (place.kernelAddress.map { ", the kernel's \(hex($0))" } ?? "")
  }

  /// What a table descriptor takes away from everything below it.
  static func tableRestrictions(_ tables: TableAttributes) -> [String] {
    var words: [String] = []
    if tables.contains(.noExecuteEL1) { words.append("PXNTable") }
    if tables.contains(.noExecuteEL0) { words.append("UXNTable") }
    if tables.contains(.noAccessEL0) { words.append("APTable no EL0") }
    if tables.contains(.readOnly) { words.append("APTable read-only") }
    return words
  }

  /// The bits of a leaf by Arm's and Linux's names.
  static func bits(_ attributes: Attributes, _ regime: TranslationRegime, _ kernel: Kernel) -> [String] {
    var words = ["AttrIndx \(attributes.attrIndex)"]
    if let type = kernel.memoryTypes?.value.memoryType(attributes.attrIndex) { words[0] += " (\(type.rawValue))" }
    let raw = attributes.descriptor.rawValue
    words.append("AP \(raw >> 7 & 1)\(raw >> 6 & 1)")
    if let sharing = attributes.shareability(regime) { words.append("SH \(name(sharing))") }
    let flags: [(UInt64, String)] = [
      (10, "AF"), (11, "nG"), (50, "GP"), (51, "DBM"), (52, "Contiguous"), (53, "PXN"),
      (54, regime.register.isSingleRange ? "XN" : "UXN"),
    ]
    for (bit, name) in flags where raw >> bit & 1 == 1 { words.append(name) }
    let software: [(SoftwareBits, String)] = [
      (.dirty, "DIRTY"), (.special, "SPECIAL"), (.devmap, "DEVMAP"), (.userfaultWriteProtect, "UFFD_WP"),
    ]
    for (bit, name) in software where attributes.software.contains(bit) { words.append(name) }
    return words
  }
}

extension JSONObject {
  /// The fields of `attributes`.
  mutating func attributes(_ attributes: Attributes, _ regime: TranslationRegime, _ kernel: Kernel) {
    bool("writable", attributes.isWritable)
    let isSingle = attributes.isSingleRange
    bool("executableEL1", isSingle ? nil : attributes.isExecutableEL1)
    bool("executableEL0", isSingle ? nil : attributes.isExecutableEL0)
    if isSingle { bool("executableEL2", attributes.isExecutableEL2) }
    bool("user", attributes.isUser)
    bool("accessed", attributes.isAccessed)
    bool("global", attributes.isGlobal)
    string("memoryType", kernel.memoryTypes?.value.memoryType(attributes.attrIndex).rawValue)
    number("attrIndex", attributes.attrIndex)
    string("shareability", attributes.shareability(regime).map(Words.name))
    bool("dirtyBitModifier", attributes.isDirtyBitModified)
    bool("guarded", attributes.isGuarded)
    strings("software", Words.softwareNames(attributes.software))
  }
}

extension Words {
  /// The names of the software bits that are set.
  static func softwareNames(_ bits: SoftwareBits) -> [String] {
    let names: [(SoftwareBits, String)] = [
      (.dirty, "dirty"), (.special, "special"), (.devmap, "devmap"), (.userfaultWriteProtect, "uffd-wp"),
    ]
    return names.filter { bits.contains($0.0) }.map(\.1)
  }
}
