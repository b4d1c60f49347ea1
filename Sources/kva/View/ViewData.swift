import KernelVA

/// All that a page shows of a dump.
struct ViewData {
  let path: String
  let regions: [RegionUse]
  let tables: TableMap
  let areas: [AddressArea]
  /// nil if `struct page` is unknown.
  let frames: FrameMap?
  let audit: AuditReport
  let pins: [CrashPin]
  /// The report and the grouped stacks as the commands print them.
  let report: String
  let stacks: String

  /// Collects the data.
  init(_ kernel: Kernel, path: String) {
    self.path = path
    let triage = kernel.triage()
    regions = kernel.regions()?.regions ?? []
    var map = TableMap(kernel.regime)
    let pass = kernel.sweep(nil, of: nil, &map)
    map.finish(pass)
    tables = map
    areas = kernel.namedAreas
    frames = kernel.pageReader.map { FrameMap($0, kernel) }
    audit = triage.audit
    pins = triage.pins
    report = Output.collecting { output in
      output.reportText(DumpReport(path: path, dump: kernel.dump, triage: triage))
    }
    stacks = Output.collecting { $0.groupedStacks(kernel) }
  }
}

extension Output {
  /// The output of `body` as text.
  static func collecting(_ body: (Output) -> Void) -> String {
    let collected = CollectedOutput()
    let output = Output(.collected(collected))
    body(output)
    output.flush()
    return String(decoding: collected.bytes, as: UTF8.self)
  }

  /// The stacks of all tasks, equal ones grouped, the most frequent first.
  fileprivate func groupedStacks(_ kernel: Kernel) {
    let groups = Dictionary(grouping: kernel.allTasks.map { kernel.stack(of: $0) }, by: \.hash)
    let order = groups.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }
    for (hash, stacks) in order.prefix(Limits.drawnStacks) { stackGroupText(hash, stacks, kernel) }
    if order.count > Limits.drawnStacks { text("\(order.count - Limits.drawnStacks) other stacks\n") }
  }

  /// The data of a page as JSON.
  func viewJSON(_ data: ViewData, _ kernel: Kernel) {
    let regime = kernel.regime
    jsonObject { object in
      object.string("dump", data.path)
      object.string("release", kernel.facts.release?.value)
      object.number("pageShift", regime.granule.pageShift)
      object.number("indexBits", regime.granule.indexBits)
      object.number("tableBits", regime.tableBits)
      object.number("addressBits", regime.addressBits)
      object.number("startLevel", regime.startLevel)
      object.string("register", regime.register.rawValue)
      object.hex("root", regime.root.rawValue)
      object.hex("first", regime.firstAddress)
      object.hex("lowMask", regime.format.lowMask)
      object.hex("highMask", regime.format.highMask)
      object.number("highShift", regime.format.highShift)
      object.fields("address", BitField.address(regime.lookup, regime.granule, widthInUse: regime.addressBits))
      object.fields("table", kernel.entryFields(isTable: true, shift: regime.granule.pageShift, regime))
      object.array("leaf", Array(regime.startLevel...3)) { part, level in
        part.fields("fields", kernel.entryFields(isTable: false, shift: regime.granule.shift(level: level), regime))
      }
      object.array("regions", data.regions) { part, use in
        part.layoutRow(use.row)
        part.number("mapped", use.mapped)
        part.bool("optional", use.row.isOptional)
        part.string("fill", Palette(use.row.region).rawValue)
      }
      object.tables(data.tables, kernel)
      object.array("areas", data.areas) { part, area in
        part.string("kind", area.kind.rawValue)
        part.hex("first", area.first)
        part.hex("last", area.last)
        part.string("name", area.name)
      }
      object.strings("uses", PageUse.allCases.map(\.rawValue))
      object.strings("useFills", PageUse.allCases.map { Palette($0).rawValue })
      object.object("frames", data.frames) { $0.frames($1) }
      object.array("pins", data.pins) { part, pin in
        part.string("name", pin.name)
        part.hex("address", pin.address)
        part.string("text", pin.text)
      }
      object.number("findingCount", data.audit.findings.count)
      object.array("findings", data.audit.findings.prefix(Limits.drawnFindings)) { $0.finding($1) }
      object.array("oddities", data.audit.oddities) { part, oddity in
        part.string("code", oddity.code.rawValue)
        part.hex("start", oddity.first)
        part.number("size", oddity.bytes)
        part.string("message", oddity.code.words)
      }
      object.string("report", data.report)
      object.string("stacks", data.stacks)
    }
  }
}

extension JSONObject {
  fileprivate mutating func fields(_ name: String, _ fields: [BitField]) {
    array(name, fields) { part, field in
      part.number("high", field.high)
      part.number("low", field.low)
      part.string("name", field.name)
      part.strings("meanings", field.meanings)
      part.bool("isAddress", field.isAddress)
      part.string("fill", field.fill.rawValue)
    }
  }

  fileprivate mutating func tables(_ map: TableMap, _ kernel: Kernel) {
    array("kinds", map.kinds) { part, kind in
      let attributes = Attributes(Descriptor(rawValue: kind.rest), tables: kind.tables)
      let type = kernel.memoryType(attributes.attrIndex)
      part.number("level", kind.level)
      part.hex("rest", kind.rest)
      part.bool("repeated", kind.isRepeated)
      part.string("access", Words.permissions(attributes))
      part.string("type", type?.rawValue ?? "AttrIndx \(attributes.attrIndex)")
      part.string("fill", Palette(attributes, type).rawValue)
    }
    strings("tableKinds", map.tableKinds.map(Words.hex))
    number("leafCount", map.count)
    string("leaves", CompactNumber.base64(map.leaves))
    string("tables", CompactNumber.base64(map.tables))
    bool("cutShort", map.isCutShort)
    array("odd", map.oddities) { part, oddity in
      part.string("what", oddity.what)
      part.hex("first", oddity.first)
      part.hex("last", oddity.last)
      part.number("level", oddity.level)
      part.hex("descriptor", oddity.descriptor)
    }
  }

  fileprivate mutating func frames(_ map: FrameMap) {
    number("group", map.group)
    numbers("counts", PageUse.allCases.map { map.counts[$0] ?? 0 })
    number("lacking", map.lacking)
    array("parts", map.parts) { part, value in
      part.number("first", value.first)
      var bytes: [UInt8] = []
      for run in value.runs {
        let use = UInt64(PageUse.allCases.firstIndex(of: run.kind.use) ?? 0)
        CompactNumber.append(run.frames << 5 | (run.kind.isHeld ? 0 : 16) | use, to: &bytes)
      }
      part.string("runs", CompactNumber.base64(bytes))
    }
  }
}

extension Palette {
  /// The colour of memory by its permissions.
  fileprivate init(_ attributes: Attributes, _ type: MemoryType?) {
    let isExecutable = attributes.isExecutableEL1 || attributes.isExecutableEL0
    self =
      isExecutable && attributes.isWritable
      ? .writeExecute
      : isExecutable
        ? .execute : type?.isDevice ?? false ? .device : attributes.isWritable ? .write : .readOnly
  }
}
