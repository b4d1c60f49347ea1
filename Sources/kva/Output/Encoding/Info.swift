import KernelVA

extension Output {
  /// All facts as one JSON object; the fields are those of kva-info(1).
  func infoJSON(_ dump: DumpFile, _ kernel: Kernel?) {
    let summary = dump.summary
    let facts = kernel?.facts
    let noted = kernel == nil ? NotedFacts(dump) : nil
    let pageSize = facts?.granule.value.size ?? noted?.pageSize
    // As in the text: without a known page size, pages are 4 KiB.
    let page = pageSize ?? 4096
    jsonLine { object in
      object.number("schema", JSONObject.schema)
      object.string("format", summary.format)
      object.number("pageSize", pageSize)
      object.number("vaBits", facts?.vaBits.value ?? noted?.vaBits)
      object.number("vaBitsMin", facts?.vaBitsMin)
      object.number("vaBitsActual", facts?.vaBitsActual.value)
      object.number("paBits", facts?.physicalBits?.value)
      object.hex("kaslrOffset", facts?.kaslrOffset?.value)
      object.hex("kimageVoffset", facts?.kimageVoffset?.value)
      object.hex("physOffset", facts?.physOffset?.value)
      if let facts {
        object.object("swapperPgDir") { swapper in
          swapper.hex("virtual", facts.swapperVirtual?.value.rawValue)
          swapper.hex("physical", facts.swapperPhysical.value.rawValue)
        }
      }
      object.string("layout", kernel?.layout.era?.name)
      if let kernel {
        let cpus = kernel.cpus
        object.hex("ttbr1", cpus.first.flatMap(\.ttbr1.value))
        object.array("cpus", cpus) { $0.cpu($1, cnp: kernel.usesCnP) }
        object.registers(of: kernel)
      } else {
        object.array("cpus", dump.notes.cpus) { cpu, registers in
          cpu.number("cpu", registers.index)
          cpu.hex("pc", registers.pc)
          cpu.hex("sp", registers.sp)
          cpu.object("registers") { $0.general(registers) }
        }
      }
      object.string("release", facts?.release?.value ?? noted?.release)
      object.string("buildID", facts?.buildID?.value ?? noted?.buildID)
      object.string(
        "vmcoreinfo", (kernel?.vmcoreinfo?.text ?? dump.notes.vmcoreinfo).map { String(decoding: $0, as: UTF8.self) })
      object.number("crashTime", facts?.crashTime?.value ?? noted?.crashTime)
      object.array("memory", dump.memory.ranges) { range, value in
        range.hex("start", value.lowerBound.rawValue)
        range.hex("end", value.upperBound.rawValue)
      }
      object.number("pagesPresent", summary.bytesPresent / page)
      object.number("pagesTotal", summary.bytesTotal / page)
      for (name, bytes) in [
        ("pagesFiltered", summary.bytesFiltered), ("pagesLost", summary.bytesLost),
        ("pagesCutOff", summary.bytesCutOff),
      ] {
        object.number(name, bytes / page)
      }
      object.number("pagesZero", summary.bytesZero.map { $0 / page })
      object.string("compression", summary.compression)
      object.number("dumpLevel", summary.dumpLevel)
      object.strings("leftOut", Words.leftOut(summary))
      object.number("blockSize", summary.blockSize)
      object.array("deviceDumps", dump.notes.deviceDumps) { device, value in
        device.string("name", value.name)
        device.number("size", value.byteCount)
      }
      object.strings("eraseInfo", dump.notes.erased)
      object.strings("omitted", dump.notes.omissions)
      object.object("sources") { sources in
        for fact in facts?.list ?? noted?.list ?? [] { sources.string(fact.key, fact.source) }
        if let kernel {
          sources.string("vmcoreinfo", kernel.vmcoreinfoSource)
          sources.string("layout", kernel.layout.evidence)
          if let types = kernel.memoryTypes { sources.string("memoryTypes", types.source) }
          let symbols = kernel.symbols.origins.joined(separator: ", ")
          if !symbols.isEmpty { sources.string("symbols", symbols) }
          let types = kernel.types.sources.map(\.origin).joined(separator: ", ")
          if !types.isEmpty { sources.string("types", types) }
        }
      }
      if let kernel { object.evidence(for: kernel) }
      let warnings = kernel?.warnings ?? dump.warnings
      object.strings("warnings", warnings)
      object.diagnostics(warnings)
    }
  }

  /// All facts as text, a line each, with their sources.
  func infoText(_ dump: DumpFile, _ kernel: Kernel?) {
    let summary = dump.summary
    func line(_ name: String, _ value: String, _ source: String? = nil) {
      let shown = display.isVerbose ? source : nil
      field(name, value + (shown.map { "  (\($0))" } ?? ""), indent: 20)
    }
    line("format", summary.format)
    if let compression = summary.compression { line("compression", compression) }
    if let level = summary.dumpLevel {
      let words = Words.leftOut(summary)
      line(
        "dump level",
        "\(level), \(words.isEmpty ? "nothing was left out" : "left out: \(words.joined(separator: ", "))")")
    }
    let noted = kernel == nil ? NotedFacts(dump) : nil
    for fact in kernel?.facts.list ?? noted?.list ?? [] { line(fact.name, fact.text, fact.source) }
    if let kernel {
      line("layout", kernel.layout.era?.name ?? "not known", kernel.layout.evidence)
      if let types = kernel.memoryTypes {
        let known = kernel.knownMemoryTypes == .max ? "" : ", AttrIndx 1 0xf0 if the CPUs have MTE, which is not known"
        line("MAIR_EL1", Words.hex(types.value.rawValue) + known, types.source)
      }
      registersText(of: kernel, line)
      evidenceText(for: kernel, line)
      let symbols = kernel.symbols.origins
      line("symbols", symbols.isEmpty ? "none known; give --vmlinux FILE" : symbols.joined(separator: ", "))
      let types = kernel.types.sources.map(\.origin)
      line("types", types.isEmpty ? "none known; give --vmlinux FILE" : types.joined(separator: ", "))
    }
    for range in dump.memory.ranges {
      line(
        "memory",
        "\(Words.range(range.lowerBound.rawValue, range.upperBound.rawValue &- 1)), "
          + Words.size(range.upperBound.rawValue &- range.lowerBound.rawValue))
    }
    let page = kernel?.facts.granule.value.size ?? noted?.pageSize ?? 4096
    line("pages present", "\(summary.bytesPresent / page) of \(summary.bytesTotal / page)")
    if summary.bytesFiltered > 0 { line("pages filtered out", "\(summary.bytesFiltered / page)") }
    if let zero = summary.bytesZero { line("pages of zeros", "\(zero / page)") }
    if summary.bytesLost > 0 { line("pages lost", "\(summary.bytesLost / page)") }
    if summary.bytesCutOff > 0 { line("pages cut off", "\(summary.bytesCutOff / page)") }
    for device in dump.notes.deviceDumps { line("device dump", "\(device.name), \(Words.size(device.byteCount))") }
    for erased in dump.notes.erased { line("erased", erased) }
    for omitted in dump.notes.omissions { line("left out", omitted) }
    for cpu in kernel?.cpus ?? [] {
      var words: [String] = []
      if let registers = cpu.registers {
        words.append("pc \(Words.hex(registers.pc)) sp \(Words.hex(registers.sp))")
      }
      if let task = cpu.task { words.append("pid \(task.pid) \(task.comm)") }
      if let ttbr0 = cpu.ttbr0 { words.append("TTBR0 \(Words.hex(ttbr0.value))") }
      words.append("TTBR1 \(cpu.ttbr1.value.map(Words.hex) ?? "unknown")")
      let missing = kernel?.tasks.notes.first.map { "TTBR0 not known: \($0.advised)" }
      let sources = [cpu.ttbr0.map { "TTBR0 \($0.source)" } ?? missing, "TTBR1 \(cpu.ttbr1.source)"].compactMap { $0 }
      line("cpu \(cpu.cpu)", words.joined(separator: ", "), sources.joined(separator: "; "))
    }
  }
}

/// A fact as `info` shows it.
struct ShownFact {
  var key: String
  var name: String
  var text: String
  var source: String
}

extension KernelFacts {
  /// The known facts, in output order.
  var list: [ShownFact] {
    var list: [ShownFact] = []
    func add<Value>(_ key: String, _ name: String, _ fact: Sourced<Value>?, _ text: (Value) -> String) {
      if let fact { list.append(ShownFact(key: key, name: name, text: text(fact.value), source: fact.source)) }
    }
    func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
    add("release", "release", release) { $0 }
    add("buildID", "build-ID", buildID) { $0 }
    add("crashTime", "crash time", crashTime) { Words.date($0) }
    add("pageSize", "page size", granule) { Words.size($0.size) }
    add("vaBits", "VA_BITS", vaBits) { "\($0)" }
    add("vaBitsActual", "actual VA bits", vaBitsActual) { "\($0)" }
    add("paBits", "PA bits", physicalBits) { "\($0)" }
    add("kaslrOffset", "KASLR offset", kaslrOffset, hex)
    add("kimageVoffset", "kimage_voffset", kimageVoffset, hex)
    add("physOffset", "PHYS_OFFSET", physOffset, hex)
    add("swapperVirtual", "swapper_pg_dir", swapperVirtual) { hex($0.rawValue) }
    add("swapperPhysical", swapperVirtual == nil ? "swapper_pg_dir" : "  physical", swapperPhysical) {
      hex($0.rawValue)
    }
    return list
  }
}

/// The facts in the VMCOREINFO note of a kernel that was not found.
struct NotedFacts {
  let release: String?
  let buildID: String?
  let crashTime: UInt64?
  let pageSize: UInt64?
  let vaBits: Int?

  /// nil if there is no note.
  init?(_ dump: DumpFile) {
    guard let note = dump.notes.vmcoreinfo.map({ VMCoreInfo($0) }) else { return nil }
    release = note.release
    buildID = note.buildID
    crashTime = note.crashTime
    pageSize = note.pageSize
    vaBits = note.number("VA_BITS").flatMap { Int(exactly: $0) }
  }

  /// The known facts, in output order.
  var list: [ShownFact] {
    var list: [ShownFact] = []
    func add(_ key: String, _ name: String, _ text: String?, _ line: String) {
      if let text { list.append(ShownFact(key: key, name: name, text: text, source: "VMCOREINFO \(line)")) }
    }
    add("release", "release", release, "OSRELEASE")
    add("buildID", "build-ID", buildID, "BUILD-ID")
    add("crashTime", "crash time", crashTime.map(Words.date), "CRASHTIME")
    add("pageSize", "page size", pageSize.map(Words.size), "PAGESIZE")
    add("vaBits", "VA_BITS", vaBits.map(String.init), "NUMBER(VA_BITS)")
    return list
  }
}

extension DumpNotes {
  /// The list of what makedumpfile erased.
  fileprivate var erased: [String] {
    guard let text = eraseInfo else { return [] }
    return text.prefix { $0 != 0 }.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
  }
}
