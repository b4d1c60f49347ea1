import KernelVA

/// The system registers in `kva info`: the root tables, TCR_EL1, and the hypervisor.
extension JSONObject {
  /// The fields `rootTables`, `kpti`, `tcr` and `hypervisor`.
  mutating func registers(of kernel: Kernel) {
    array("rootTables", kernel.rootTables) { table, value in
      table.string("name", value.name)
      table.hex("virtual", value.virtual)
      table.hex("physical", value.physical.rawValue)
      table.string("source", value.source)
    }
    bool("kpti", kernel.usesKPTI?.value)
    let (control, controlSources) = (kernel.translationControl.value, kernel.translationControl.sources)
    object("tcr") { tcr in
      tcr.hex("value", control.value)
      tcr.hex("known", control.known)
      for field in TranslationControl.Field.allCases { tcr.number(field.rawValue.lowercased(), control[field]) }
      tcr.object("sources") { sources in
        for field in TranslationControl.Field.allCases where controlSources[field] != nil {
          sources.string(field.rawValue.lowercased(), controlSources[field])
        }
      }
    }
    if let types = kernel.memoryTypes {
      hex("mair", types.value.rawValue)
      hex("mairKnown", kernel.knownMemoryTypes)
    }
    object("hypervisor") { $0.hypervisor(kernel.hypervisor) }
  }

  private mutating func hypervisor(_ hypervisor: Hypervisor) {
    let transform = hypervisor.transform?.value
    let regime = hypervisor.regime?.value
    string("mode", hypervisor.mode?.value.rawValue)
    hex("vaMask", transform?.vaMask)
    number("tagLSB", transform?.tagLSB)
    hex("tagValue", transform?.tagValue)
    hex("physvirtOffset", hypervisor.physvirtOffset?.value)
    hex("table", regime?.root.rawValue)
    number("addressBits", regime?.addressBits)
    if let idmap = hypervisor.idmap {
      object("idmap") { range in
        range.hex("start", idmap.lowerBound)
        range.hex("end", idmap.upperBound)
      }
    }
    array("cpus", hypervisor.cpus) { cpu, value in
      cpu.number("cpu", value.cpu)
      for (key, register) in value.registers { cpu.hex(key, register?.value) }
      cpu.object("sources") { sources in
        for (key, register) in value.registers { sources.string(key, register?.source) }
      }
    }
    object("sources") { sources in
      sources.string("mode", hypervisor.mode?.source)
      sources.string("transform", hypervisor.transform?.source)
      sources.string("physvirtOffset", hypervisor.physvirtOffset?.source)
      sources.string("table", hypervisor.regime?.source)
    }
    strings("notes", hypervisor.notes)
    diagnostics(hypervisor.notes)
  }
}

extension HypervisorRegisters {
  /// The registers by their names in JSON.
  fileprivate var registers: [(key: String, value: Sourced<UInt64>?)] {
    [
      ("ttbr0EL2", ttbr0), ("tcrEL2", tcr), ("mairEL2", mair), ("hcrEL2", hcr), ("vbarEL2", vbar),
      ("tpidrEL2", tpidr), ("spEL2", stack),
    ]
  }
}

extension Output {
  /// The same as text: `line` writes a name, a value and its source.
  func registersText(of kernel: Kernel, _ line: (_ name: String, _ value: String, _ source: String?) -> Void) {
    let control = kernel.translationControl.value
    let known = TranslationControl.Field.allCases.compactMap { field in
      control[field].map { "\(field.rawValue) \($0)\(Words.meaning(of: field, $0))" }
    }
    line("TCR_EL1", known.joined(separator: ", "), "what is not shown is not known")
    if let kpti = kernel.usesKPTI { line("KPTI", kpti.value ? "on" : "off", kpti.source) }
    for table in kernel.rootTables.dropFirst() {
      let virtual = table.virtual.map { ", virtual \(Words.hex($0))" } ?? ""
      line(table.name, Words.hex(table.physical.rawValue) + virtual, table.source)
    }
    hypervisorText(kernel.hypervisor, line)
  }

  private func hypervisorText(
    _ hypervisor: Hypervisor, _ line: (_ name: String, _ value: String, _ source: String?) -> Void
  ) {
    let words =
      switch hypervisor.mode?.value {
      case .vhe?: "VHE: the kernel runs at EL2, nothing further is mapped"
      case .nvhe?: "nVHE: KVM has tables of its own at EL2"
      case .protected?: "protected (pKVM): the code at EL2 has its own tables"
      case .unused?: "none: nothing of the kernel runs at EL2"
      case nil: "not known" + (hypervisor.notes.first.map { ": \($0.advised)" } ?? "")
      }
    line("hypervisor", words, hypervisor.mode?.source)
    if let transform = hypervisor.transform {
      let value = transform.value
      line(
        "  kern_hyp_va",
        "va_mask \(Words.hex(value.vaMask)), tag_lsb \(value.tagLSB), tag_val \(Words.hex(value.tagValue))",
        transform.source)
    }
    if let offset = hypervisor.physvirtOffset { line("  physvirt offset", Words.hex(offset.value), offset.source) }
    if let regime = hypervisor.regime {
      line("  tables", "\(Words.hex(regime.value.root.rawValue)), \(regime.value.addressBits) bits", regime.source)
    }
    if let idmap = hypervisor.idmap, hypervisor.regime != nil {
      line("  idmap", Words.range(idmap.lowerBound, idmap.upperBound), nil)
    }
    for cpu in hypervisor.cpus {
      let registers: [(String, Sourced<UInt64>?)] = [
        ("TTBR0_EL2", cpu.ttbr0), ("TCR_EL2", cpu.tcr), ("MAIR_EL2", cpu.mair), ("HCR_EL2", cpu.hcr),
        ("VBAR_EL2", cpu.vbar), ("TPIDR_EL2", cpu.tpidr), ("SP_EL2", cpu.stack),
      ]
      let shown = registers.compactMap { name, register in register.map { "\(name) \(Words.hex($0.value))" } }
      line("  cpu \(cpu.cpu.map(String.init) ?? "?") at EL2", shown.joined(separator: ", "), cpu.ttbr0.source)
    }
  }
}

extension Words {
  /// The meaning of a TCR_EL1 field whose number does not show it: " (48 bits)", " (4K)"; empty for others.
  fileprivate static func meaning(of field: TranslationControl.Field, _ value: UInt64) -> String {
    switch field {
    case .t0sz, .t1sz: return " (\(64 - min(value, 64)) bits)"
    case .tg0: return Granule.allCases.first { $0.tg0 == value }.map { " (\(size($0.size)))" } ?? ""
    case .tg1: return Granule.allCases.first { $0.tg1 == value }.map { " (\(size($0.size)))" } ?? ""
    case .ips:
      let widths = TranslationControl.physicalWidths
      return value < UInt64(widths.count) ? " (\(widths[Int(value)]) bits)" : ""
    default: return ""
    }
  }
}
