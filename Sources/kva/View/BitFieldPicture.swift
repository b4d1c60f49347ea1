import KernelVA

extension SVG {
  /// Pixels of one bit.
  private static let bitWidth = 14.0
  private static let left = 32.0

  private func edge(_ bit: Int) -> Double { Self.left + Double(63 - bit) * Self.bitWidth }

  /// The boxes of `fields` with their bit numbers and their values in `word`.
  private mutating func boxes(_ fields: [BitField], word: UInt64?) {
    let top = height + 14
    for field in fields {
      let (x, end) = (edge(field.high), edge(field.low) + Self.bitWidth)
      text(x + 1, top - 3, "\(field.high)", .small)
      if field.high - field.low > 1 { text(end - 1, top - 3, "\(field.low)", .small, .end) }
      let told = word.map { "\(field.bits) \(field.name): \(field.text(in: $0))" } ?? "\(field.bits) \(field.name)"
      box(x, top, end - x, 22, field.fill, name: told)
      guard let word else { continue }
      let value = field.value(in: word)
      let width = field.high - field.low + 1
      let binary = String(value, radix: 2)
      let digits =
        width <= 4 ? String(repeating: "0", count: width - binary.utf8.count) + binary : Words.hex(value)
      if Double(digits.utf8.count) * Self.characterWidth <= end - x {
        text((x + end) / 2, top + 15, digits, .plain, .middle)
      }
    }
    height = top + 22
  }

  /// The fields of an address as the kernel's documentation draws them: each with a line to its purpose.
  mutating func lookup(_ fields: [BitField], word: UInt64? = nil) {
    boxes(fields, word: word)
    let top = height
    for (row, field) in fields.reversed().enumerated() {
      let x = edge(field.high) + Self.bitWidth / 2
      let y = top + 20 + Double(row) * 18
      let told = "[\(field.bits)] \(field.name)" + (word.map { " \(field.text(in: $0))" } ?? "")
      line([(x, top), (x, y - 4)])
      text(x + 4, y, told)
      height = y + 8
    }
    height += 16
  }

  /// The fields of a table entry, with their meanings in columns below.
  mutating func entry(_ fields: [BitField], word: UInt64) {
    boxes(fields, word: word)
    let told = fields.filter { $0.name != "ignored" }
    let rows = (told.count + 2) / 3
    for (number, field) in told.enumerated() {
      text(
        Self.left + Double(number / rows) * 300, height + 18 + Double(number % rows) * 16,
        "[\(field.bits)] \(field.name): \(field.text(in: word))")
    }
    height += Double(rows) * 16 + 28
  }
}
