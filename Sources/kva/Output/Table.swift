/// A table for people: columns as wide as their contents, optional headers, and rows folded to the width of the
/// terminal.
///
/// The first rows are kept until the widths are known; later ones are written at once, in columns of the same widths.
/// Each cell except the last of a row should be one word, so that programs can split rows.
struct Table {
  /// A column.
  struct Column {
    /// Its header.
    var name: String
    /// Whether its cells end at its right edge, as numbers do.
    var isNumber: Bool

    /// A left-aligned column.
    static func left(_ name: String) -> Column { Column(name: name, isNumber: false) }
    /// A right-aligned column.
    static func right(_ name: String) -> Column { Column(name: name, isNumber: true) }
  }

  /// The widest a cell can make its column; longer ones overflow.
  private static let mostWidth = 40
  /// The last column is put on a line of its own if less than this is left for it.
  private static let leastRoom = 16
  /// The indentation of continued rows.
  private static let indent = 4

  private let output: Output
  private let columns: [Column]
  private var kept: [[String]]? = []
  private var places: [Place] = []

  /// Where a column is.
  private struct Place {
    var start: Int
    var width: Int
    /// Whether it begins a line, because the one before is full.
    var beginsLine: Bool
  }

  fileprivate init(_ output: Output, _ columns: [Column]) {
    self.output = output
    self.columns = columns
  }

  /// Adds a row; missing cells at its end are empty. Control characters become `?`.
  mutating func row(_ cells: [String]) {
    guard kept != nil else { return write(cells) }
    kept?.append(cells)
    if kept?.count == Limits.measuredRows { finish() }
  }

  /// Adds a row.
  mutating func row(_ cells: String...) { row(cells) }

  /// Writes the rows kept.
  fileprivate mutating func finish() {
    guard let rows = kept else { return }
    kept = nil
    guard !rows.isEmpty else { return }
    measure(rows)
    if output.display.hasHeaders { write(columns.map(\.name), style: .strong) }
    for row in rows { write(row) }
  }

  private mutating func measure(_ rows: [[String]]) {
    let widest = output.display.width ?? .max
    var start = 0
    places = columns.enumerated().map { number, column in
      let isLast = number == columns.count - 1
      var width = output.display.hasHeaders ? column.name.utf8.count : 0
      for row in rows where number < row.count { width = max(width, min(Self.width(row[number]), Self.mostWidth)) }
      // The last column can be folded if there is enough room.
      let needed = isLast && !column.isNumber ? min(width, Self.leastRoom) : width
      var place = Place(start: start, width: width, beginsLine: false)
      if number > 0, start + needed > widest {
        place.beginsLine = true
        place.start = Self.indent
      }
      start = place.start + width + 1
      return place
    }
  }

  /// The width of a table if nothing is folded.
  static func width(_ columns: [Column], _ rows: [[String]]) -> Int {
    columns.indices.reduce(columns.count - 1) { sum, number in
      sum + rows.reduce(columns[number].name.utf8.count) { max($0, number < $1.count ? width($1[number]) : 0) }
    }
  }

  /// The width of `cell`.
  private static func width(_ cell: String) -> Int { cell.utf8.lazy.filter { $0 & 0xc0 != 0x80 }.count }

  private func write(_ cells: [String], style: Style? = nil) {
    let cells = cells.count > columns.count ? cells[..<columns.count] : cells[...]
    let last = cells.lastIndex { !$0.isEmpty } ?? -1
    output.folded(indent: places.last?.start ?? 0) {
      var column = 0
      for (number, cell) in cells.enumerated() where number <= last {
        let place = places[number]
        if place.beginsLine {
          output.newline()
          column = 0
        }
        let width = Self.width(cell)
        let padding = columns[number].isNumber ? max(place.width - width, 0) : 0
        // A cell that overflows its column moves those after it, unless they have room to spare.
        let isFirst = number == 0 || place.beginsLine
        let lead = max(place.start - column + padding, isFirst ? 0 : 1)
        output.spaces(lead)
        if let style { output.styled(cell, style) } else { output.printable(cell) }
        column += lead + width
      }
      output.newline()
    }
  }
}

extension Output {
  /// Writes the rows that `body` adds as a table.
  func table<Result>(_ columns: Table.Column..., body: (inout Table) throws -> Result) rethrows -> Result {
    try table(columns, body: body)
  }

  /// Writes the rows that `body` adds as a table.
  func table<Result>(_ columns: [Table.Column], body: (inout Table) throws -> Result) rethrows -> Result {
    var table = Table(self, columns)
    defer { table.finish() }
    return try body(&table)
  }
}
