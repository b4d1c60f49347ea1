import KernelVA

extension SVG {
  private static let bandHeight = 30.0

  /// The regions in address order: on the left their places in the kernel's half, to scale; beside it a band for each
  /// with its bounds.
  ///
  /// - Parameter notes: a note for each row besides its bounds and its name.
  mutating func strip(_ rows: [LayoutRow], notes: [String] = []) {
    let half = rows.lazy.map(\.span.start).filter { $0 >> 55 & 1 == 1 }.min() ?? 0xfff0_0000_0000_0000
    let top = height + 18
    let column = Double(rows.count) * Self.bandHeight
    text(16, top - 6, "to scale", .small)
    text(120, top - 6, "first and last address", .small)
    text(560, top - 6, "size", .small, .end)
    text(580, top - 6, "use", .small)
    let length = Double(UInt64.max &- half)
    func place(_ address: UInt64) -> Double { top + column * Double(address &- half) / length }
    for (number, row) in rows.enumerated() {
      let fill = Palette(row.region)
      let y = top + Double(number) * Self.bandHeight
      if row.span.start >= half {
        let (from, to) = (place(row.span.start), max(place(row.span.end &- 1), place(row.span.start) + 1))
        area([(48, from), (96, y), (96, y + Self.bandHeight), (48, to)], fill)
        box(16, from, 32, to - from, fill, isOutlined: false, name: row.region.rawValue)
      }
      let indent = row.isOptional ? 8.0 : 0
      box(96 + indent, y, 16 - indent, Self.bandHeight, fill, name: row.region.rawValue)
      text(120, y + 19, Words.range(row.span))
      text(560, y + 19, Words.roughSize(row.span), .plain, .end)
      text(580, y + 19, Words.name(row) + (notes.indices.contains(number) ? notes[number] : ""), .strong)
    }
    outline(16, top, 32, column)
    height = top + column + 24
  }
}

extension Output {
  /// The layout of a configuration as an SVG picture: the strip of its regions, and how an address is looked up.
  func layoutSVG(_ era: LayoutEra, _ configuration: LayoutConfiguration, _ rows: [LayoutRow]) {
    let (bits, actual) = (configuration.vaBits, configuration.vaBitsActual)
    var title = "Linux \(era.name), \(Words.size(configuration.granule.size)) pages, \(bits) bits"
    if bits != actual { title += " on hardware with \(actual)" }
    if configuration.kasan != .off { title += ", KASAN \(configuration.kasan.rawValue)" }
    let summary = rows.map { "\(Words.name($0)) \(Words.range($0.span))" }.joined(separator: "; ")
    var picture = SVG(title: title, summary: summary)
    picture.strip(rows)
    let lookup = configuration.lookup
    picture.heading("Table lookup with \(Words.size(configuration.granule.size)) pages, \(lookup.count) levels")
    picture.lookup(BitField.address(lookup, configuration.granule, widthInUse: actual))
    text(picture.document)
  }
}

extension SVG {
  /// A line above a part of the picture.
  mutating func heading(_ words: String) {
    text(16, height + 14, words, .strong)
    height += 24
  }
}
