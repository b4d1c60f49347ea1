import KernelVA

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
        if resolution.isShared { object.bool("shared", true) }
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
        object.object("mapping") {
          $0.mapping(level: leaf.level, size: leaf.size, isContiguous: leaf.attributes.isContiguous)
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
        object.array("walk", steps) { $0.step($1) }
      }
      object.diagnostic("doubt", resolution.doubt)
      object.message(of: resolution)
    }
  }

  /// The answer as a line of text, with the walk below it if requested.
  func resolutionText(
    _ resolution: Resolution, _ kernel: Kernel, withWalk: Bool, _ check: Arithmetic.Answer? = nil
  ) {
    folded { resolutionLine(resolution, kernel) }
    if let check {
      folded(indent: 8) {
        text("    arithmetic ")
        if check.physical == resolution.physical { text("agrees: ") } else { styled("differs", .bad); text(": ") }
        hex(check.physical.rawValue)
        text(", \(check.rule)\n")
      }
    }
    if withWalk, let steps = resolution.walk, let regime = resolution.regime {
      folded(indent: 8) { walkText(steps, regime, kernel) }
    }
  }

  private func resolutionLine(_ resolution: Resolution, _ kernel: Kernel) {
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
      if let type = kernel.memoryType(leaf.attributes.attrIndex) { text(", \(type.rawValue)") }
      if let sharing = leaf.attributes.shareability(regime), sharing != .inner {
        text(", \(Words.name(sharing)) shareable")
      }
      if leaf.attributes.isContiguous { text(", contiguous") }
      if resolution.isShared { text(", shared with the host of this Realm") }
      if resolution.absence != nil, let message = resolution.message { text("; \(message.advised)") }
    } else {
      text(": ")
      styled(resolution.status.rawValue, .bad)
      if let region = resolution.region { text(" (\(region.rawValue))") }
      if let message = Words.message(of: resolution) { text(": \(message)") }
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
    if let doubt = resolution.doubt { text("; doubtful: \(doubt.advised)") }
    if let hypervisor = resolution.hypervisor { text("; \(Words.place(hypervisor))") }
    newline()
  }

  /// Each entry of a walk on a line: level, index, address, value, what it is, its bits.
  private func walkText(_ steps: [WalkStep], _ regime: TranslationRegime, _ kernel: Kernel) {
    text("    \(regime.register.rawValue) ")
    hex(regime.root.rawValue)
    text(": \(Words.size(regime.granule.size)) granule, \(regime.addressBits) bits")
    if regime.tableBits != regime.addressBits { text(" in tables of \(regime.tableBits)") }
    newline()
    for step in steps {
      stepText(step)
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
