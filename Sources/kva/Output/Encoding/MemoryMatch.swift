import KernelVA

extension Output {
  /// A match as a JSON object.
  func matchJSON(_ match: MemoryMatch, _ kernel: Kernel, _ user: TranslationRegime?) {
    let resolution = match.virtual.map { kernel.resolve(Words.hex($0.rawValue), user: user) }
    jsonLine { object in
      object.hex("address", match.virtual?.rawValue)
      object.hex("physical", match.physical.rawValue)
      object.string("region", resolution?.region?.rawValue)
      object.string("symbol", resolution?.symbol?.name)
      object.number("offset", resolution?.symbol == nil ? nil : resolution?.symbolOffset)
      object.bytes("bytes", match.bytes[...])
    }
  }

  /// Matches as a table, with their bytes for pointers, which differ.
  func matchesText(_ matches: [MemoryMatch], _ kernel: Kernel, _ user: TranslationRegime?, showsBytes: Bool) {
    let values: [Table.Column] = showsBytes ? [.left("POINTER")] : []
    table([.left("ADDRESS"), .left("PHYSICAL")] + values + [.left("REGION"), .left("SYMBOL")]) { table in
      for match in matches {
        let resolution = match.virtual.map { kernel.resolve(Words.hex($0.rawValue), user: user) }
        let pointer = match.bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let region = resolution?.region.map { $0.rawValue.replacing(" ", with: "-") } ?? "-"
        let symbol = resolution.flatMap { resolution in
          resolution.symbol.map { symbol in
            symbol.name + (resolution.symbolOffset > 0 ? "+\(Words.hex(resolution.symbolOffset))" : "")
              + (symbol.module.map { " [\($0)]" } ?? "")
          }
        }
        table.row(
          [match.virtual.map { Words.hex($0.rawValue) } ?? "-", Words.hex(match.physical.rawValue)]
            + (showsBytes ? [Words.hex(pointer)] : []) + [region, symbol ?? ""])
      }
    }
  }
}
