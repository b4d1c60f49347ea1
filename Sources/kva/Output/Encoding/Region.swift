import KernelVA

extension JSONObject {
  /// The bounds of a region.
  mutating func layoutRow(_ row: LayoutRow) {
    string("name", row.region.rawValue)
    hex("start", row.span.start)
    hex("end", row.span.end)
    number("size", row.span.size)
  }
}

extension Output {
  /// One region as a JSON object.
  func regionJSON(_ use: RegionUse) {
    jsonLine { object in
      object.layoutRow(use.row)
      object.number("mapped", use.mapped)
      object.string("source", use.source)
    }
  }

  /// All regions for people, a line each.
  func regionsText(_ regions: [RegionUse]) {
    text("Start             End                 Size    Mapped  Use           Source\n")
    for use in regions {
      layoutBounds(use.row)
      column(Words.roughSize(use.row.span), 9)
      // The shadow of KASAN has more digits than the column.
      text(" ")
      column(use.mapped.map { $0 == 0 ? "-" : Words.size($0) } ?? "", 9)
      text("  ")
      text(use.row.region.rawValue)
      spaces(14 - use.row.region.rawValue.utf8.count)
      text(use.source)
      newline()
    }
  }

  /// The first and the last address of a row, 16 digits each, in brackets where it lies in the row before.
  func layoutBounds(_ row: LayoutRow) {
    text(row.isOptional ? "[" : "")
    digits(row.span.start, atLeast: 16)
    text("  ")
    digits(row.span.end &- 1, atLeast: 16)
    text(row.isOptional ? "]" : "  ")
  }
}
