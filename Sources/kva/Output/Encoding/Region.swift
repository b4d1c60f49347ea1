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

  /// All regions as a table.
  func regionsTable(_ regions: [RegionUse]) {
    var columns: [Table.Column] = [.left(Words.rangeHeader), .right("SIZE"), .right("MAPPED"), .left("REGION")]
    var rows = regions.map { use in
      [
        Words.range(use.row.span), Words.roughSize(use.row.span),
        use.mapped.map { $0 == 0 ? "-" : Words.size($0) } ?? "?", Words.name(use.row),
      ]
    }
    if display.isVerbose {
      columns.append(.left("SOURCE"))
      for number in rows.indices { rows[number].append(regions[number].source) }
    } else {
      addBars(regions.map(\.row.span), &columns, &rows)
    }
    table(columns) { table in
      for row in rows { table.row(row) }
    }
  }

  /// Adds a column that shows the place of each of `spans` in the kernel's half, if the terminal has room.
  func addBars(_ spans: [AddressLayout.Span], _ columns: inout [Table.Column], _ rows: inout [[String]]) {
    guard let width = display.width else { return }
    let room = min(width - Table.width(columns, rows) - 1, RegionMapBar.mostRoom)
    guard room >= RegionMapBar.leastRoom else { return }
    let map = RegionMapBar(spans)
    columns.append(.left(map.header(room)))
    for (number, span) in spans.enumerated() { rows[number].append(map.bar(span, room)) }
  }
}

extension Words {
  /// The addresses of a region, 16 digits each.
  static func range(_ span: AddressLayout.Span) -> String { wideRange(span.start, span.end &- 1) }

  /// The name of a region, in brackets if it lies inside the row before.
  static func name(_ row: LayoutRow) -> String {
    row.isOptional ? "[\(row.region.rawValue)]" : row.region.rawValue
  }
}
