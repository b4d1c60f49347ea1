import KernelVA

extension Output {
  /// The memory map of a configuration as JSON objects: its regions, then the fields of the table lookup.
  func layoutJSON(_ era: LayoutEra, _ configuration: LayoutConfiguration, _ rows: [LayoutRow]) {
    for row in rows {
      jsonLine { object in
        object.layoutRow(row)
        object.string("source", "the layout of Linux \(era.name)\(row.isOptional ? ", if it has KASAN" : "")")
        if row.isOptional { object.bool("optional", true) }
      }
    }
    for field in configuration.lookup {
      jsonLine { object in
        object.number("level", field.level)
        object.number("highBit", field.highBit)
        object.number("lowBit", field.lowBit)
      }
    }
  }

  /// The same as text, as in the kernel's documentation.
  func layoutText(_ era: LayoutEra, _ configuration: LayoutConfiguration, _ rows: [LayoutRow]) {
    let lookup = configuration.lookup
    let pages = "\(Words.size(configuration.granule.size)) pages"
    text("Linux \(era.name), \(pages), \(lookup.count) levels, \(configuration.vaBits) bits")
    if configuration.vaBits != configuration.vaBitsActual {
      text(" on hardware with \(configuration.vaBitsActual)")
    }
    if configuration.kasan != .off { text(", KASAN \(configuration.kasan.rawValue)") }
    text("\n\n")
    layoutTable(rows)
    text("\nTable lookup with \(pages):\n\n")
    text("  bit 55   selects TTBR0 (0) or TTBR1 (1); bits 54:\(configuration.vaBitsActual) equal it\n")
    for field in lookup {
      let bits = "\(field.highBit):\(field.lowBit)"
      text("  \(bits)")
      spaces(9 - bits.utf8.count)
      text("index in the table of level \(field.level)")
      let inUse = configuration.vaBitsActual - 1
      if field == lookup.first, inUse < field.highBit {
        text(" (\(inUse):\(field.lowBit) in use)")
      }
      newline()
    }
    let bits = "\(configuration.granule.pageShift - 1):0"
    text("  \(bits)")
    spaces(9 - bits.utf8.count)
    text("offset in the page\n")
  }

  private func layoutTable(_ rows: [LayoutRow]) {
    var columns: [Table.Column] = [.left(Words.rangeHeader), .right("SIZE"), .left("USE")]
    var cells = rows.map { row in
      // Unusable ranges, and KASAN's share of the linear map, are in brackets.
      let isAside = [.guardRegion, .hole, .kasanShadow].contains(row.region)
      return [
        Words.range(row.span), Words.roughSize(row.span), isAside ? "[\(row.region.rawValue)]" : row.region.rawValue,
      ]
    }
    addBars(rows.map(\.span), &columns, &cells)
    table(columns) { table in
      for row in cells { table.row(row) }
    }
  }
}
