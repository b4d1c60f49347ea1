import KernelVA

extension SVG {
  private static let cellWidth = 8.0
  private static let cellsPerRow: UInt64 = 96
  private static let mostRows: UInt64 = 64

  /// RAM as rows of cells of equally many frames, in the colour of their most frequent use, hatched if the dump lacks
  /// them; below it a legend of the uses.
  mutating func frames(_ map: FrameMap, pageSize: UInt64) {
    let perCell = Self.framesPerCell(map)
    heading("A cell is \(Words.size(perCell * pageSize)), \(perCell) \(perCell == 1 ? "page" : "pages")")
    for part in map.parts {
      text(16, height + 12, Words.hex(part.first * pageSize), .small)
      height += 16
      var column: UInt64 = 0
      for run in FrameMap.grouped(part.runs, by: perCell) {
        // Only the last cell of a part may be smaller.
        var rest = (run.frames + perCell - 1) / perCell
        while rest > 0 {
          let width = min(rest, Self.cellsPerRow - column)
          let fills = run.kind.isHeld ? [Palette(run.kind.use)] : [Palette(run.kind.use), .absent]
          for fill in fills {
            box(
              16 + Double(column) * Self.cellWidth, height, Double(width) * Self.cellWidth, Self.cellWidth, fill,
              isOutlined: false, name: run.kind.use.rawValue + (run.kind.isHeld ? "" : ", not in the dump"))
          }
          column += width
          rest -= width
          if column == Self.cellsPerRow {
            column = 0
            height += Self.cellWidth
          }
        }
      }
      height += column > 0 ? 2 * Self.cellWidth : Self.cellWidth
    }
    legend(map, pageSize: pageSize)
  }

  private mutating func legend(_ map: FrameMap, pageSize: UInt64) {
    height += 8
    let uses = PageUse.allCases.filter { map.counts[$0] != nil }
    for (number, use) in uses.enumerated() {
      let (x, y) = (16 + Double(number % 3) * 312, height + Double(number / 3) * 20)
      let pages = map.counts[use] ?? 0
      box(x, y, 14, 14, Palette(use))
      text(x + 22, y + 11, "\(use.rawValue): \(pages) pages, \(Words.size(pages * pageSize))")
    }
    height += Double((uses.count + 2) / 3) * 20
    if map.lacking > 0 {
      box(16, height, 14, 14, .absent)
      text(38, height + 11, "not in the dump: \(map.lacking) pages, \(Words.size(map.lacking * pageSize))")
      height += 20
    }
    height += 16
  }

  /// The frames in a cell: a power of two with which no part has too many rows.
  private static func framesPerCell(_ map: FrameMap) -> UInt64 {
    var perCell = map.group
    while map.frames / perCell > cellsPerRow * mostRows { perCell *= 2 }
    return perCell
  }
}

extension Output {
  /// RAM by use, as an SVG picture.
  func framesSVG(_ map: FrameMap, _ kernel: Kernel) {
    let size = kernel.regime.granule.size
    let release = kernel.facts.release.map { "Linux \($0.value)" } ?? "The kernel"
    let counts = PageUse.allCases.compactMap { use in map.counts[use].map { "\(use.rawValue) \($0)" } }
    var picture = SVG(
      title: "\(release): \(Words.size(map.frames * size)) of RAM by use",
      summary: "Pages by use: " + counts.joined(separator: ", "))
    picture.frames(map, pageSize: size)
    text(picture.document)
  }
}
