import KernelVA

extension Output {
  /// The walk of `resolution`: the fields of its address, and each descriptor on the way with its fields.
  func walkSVG(_ resolution: Resolution, _ kernel: Kernel) {
    guard let virtual = resolution.virtual, let tables = resolution.regime, let steps = resolution.walk else { return }
    let address = Words.hex(virtual.rawValue)
    let place = resolution.physical.map { " to \(Words.hex($0.rawValue))" } ?? ""
    var picture = SVG(
      title: "\(address): \(resolution.status.rawValue)\(place)",
      summary: steps.map { step in
        "level \(step.level), entry \(step.index): \(Words.hex(step.descriptor.rawValue)), \(Words.name(step.kind))"
      }.joined(separator: "; "))
    var told = resolution.region.map { [$0.rawValue] } ?? []
    if let symbol = resolution.symbol { told.append("\(symbol.name)+\(Words.hex(resolution.symbolOffset))") }
    if let leaf = resolution.leaf {
      told += [Words.permissions(leaf.attributes), "\(Words.size(leaf.size)) \(leaf.level == 3 ? "page" : "block")"]
      if let type = kernel.memoryType(leaf.attributes.attrIndex) { told.append(type.rawValue) }
    } else if let message = resolution.message {
      told.append(message.text)
    }
    picture.heading(told.joined(separator: ", "))
    picture.lookup(
      BitField.address(tables.lookup, tables.granule, widthInUse: tables.addressBits), word: virtual.rawValue)
    picture.heading("\(tables.register.rawValue): root table at \(Words.hex(tables.root.rawValue))")
    for step in steps {
      let descriptor = step.descriptor.rawValue
      picture.heading(
        "Level \(step.level): entry \(step.index) at \(Words.hex(step.address.rawValue)) is \(Words.hex(descriptor)), "
          + Words.name(step.kind))
      guard [.table, .block, .page].contains(step.kind) else { continue }
      let shift = tables.granule.shift(level: step.level)
      picture.entry(kernel.entryFields(isTable: step.kind == .table, shift: shift, tables), word: descriptor)
    }
    text(picture.document)
  }

  /// The strip of a dump's regions, with how much of each is mapped.
  func regionsSVG(_ regions: [RegionUse], _ kernel: Kernel) {
    let release = kernel.facts.release.map { "Linux \($0.value)" } ?? "The kernel"
    let notes = regions.map { use in use.mapped.map { $0 == 0 ? "" : ", \(Words.size($0)) mapped" } ?? "" }
    var picture = SVG(
      title: "\(release): the address space",
      summary: zip(regions, notes).map { "\(Words.name($0.row)) \(Words.range($0.row.span))\($1)" }
        .joined(separator: "; "))
    picture.strip(regions.map(\.row), notes: notes)
    text(picture.document)
  }
}
