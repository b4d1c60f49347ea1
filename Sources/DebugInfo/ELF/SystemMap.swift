import Bytes

/// The `System.map` of a kernel: a line for each symbol, `address type name`, in address order. (scripts/mksysmap)
package final class SystemMap: SymbolSource {
  /// What it is, for `info`.
  package var origin: String { file.path }
  /// The KASLR offset of the running kernel from the addresses in the file.
  package let slide: UInt64

  private let file: MappedFile
  private let lines: [Line]

  private struct Line {
    var address: UInt64
    var type: UInt8
    var name: Range<Int>
  }

  /// Opens the file at `path`, whose kernel has `_stext` at `text`.
  ///
  /// - Throws: `LocatedError` if it is not a System.map, or has no `_stext` to place it by.
  package init(path: String, text: UInt64?) throws(LocatedError) {
    let file = try MappedFile(path: path)
    self.file = file
    lines = Self.parse(file)
    guard !lines.isEmpty else {
      throw LocatedError(file: path, offset: 0, kind: .unsupported, "is no System.map: no line is 'address type name'")
    }
    guard let text else {
      slide = 0
      return
    }
    guard let linked = lines.first(where: { Self.name($0, file) == "_stext" })?.address else {
      throw LocatedError(
        file: path, kind: .mismatch, "names no _stext, by which the dump's kernel would be placed; give another file")
    }
    slide = text &- linked
  }

  private static func parse(_ file: MappedFile) -> [Line] {
    let bytes = file.bytes
    var result: [Line] = []
    var position = 0
    while position < bytes.byteCount, result.count < Limits.symbols {
      var address: UInt64 = 0
      var digits = 0
      while let digit = bytes.integer(UInt8.self, at: position).flatMap(Hex.digit), digits < 16 {
        address = address << 4 | UInt64(digit)
        digits += 1
        position += 1
      }
      let type = bytes.integer(UInt8.self, at: position + 1)
      let isLine =
        digits > 0 && bytes.integer(UInt8.self, at: position) == 0x20
        && bytes.integer(UInt8.self, at: position + 2) == 0x20
      let start = position + 3
      var end = isLine ? start : position
      while let byte = bytes.integer(UInt8.self, at: end), byte != 0x0a, end - start < Limits.symbolName { end += 1 }
      if isLine, let type, end > start { result.append(Line(address: address, type: type, name: start..<end)) }
      position = end + 1
    }
    return result
  }

  private static func name(_ line: Line, _ file: MappedFile) -> String {
    file.withBytes(UInt64(line.name.lowerBound)..<UInt64(line.name.upperBound)) { $0.string() } ?? ""
  }

  /// The first line after `number` that has another address.
  private func next(after number: Int) -> Int {
    var next = number + 1
    while next < lines.count, lines[next].address == lines[number].address { next += 1 }
    return next
  }

  private func symbol(_ number: Int) -> Symbol { symbol(number, next: next(after: number)) }

  private func symbol(_ number: Int, next: Int) -> Symbol {
    let line = lines[number]
    return Symbol(
      name: Self.name(line, file), address: line.address &+ slide,
      size: next < lines.count ? lines[next].address &- line.address : 0, type: line.type)
  }

  /// The first symbol of this name; constants and checksums, which are not in the image, do not count.
  package func symbol(named name: String) -> Symbol? {
    let length = name.utf8.count
    return lines.indices.first {
      lines[$0].name.count == length && lines[$0].type | 0x20 != UInt8(ascii: "a") && Self.name(lines[$0], file) == name
    }.map(symbol)
  }

  /// The nearest symbol at or below `address`; the last one, whose end is unknown, has only its own address.
  package func symbol(containing address: UInt64) -> Symbol? {
    let wanted = address &- slide
    let next = lines.partitioningIndex { $0.address > wanted }
    guard next > 0, lines[next - 1].type | 0x20 != UInt8(ascii: "a") else { return nil }
    var number = next - 1
    while number > 0, lines[number - 1].address == lines[number].address { number -= 1 }
    let found = symbol(number)
    return address == found.address || address &- found.address < found.size ? found : nil
  }

  /// All symbols.
  package func forEachSymbol(_ body: (Symbol) -> Bool) {
    // Symbols at one address share the next one.
    var next = 0
    for number in lines.indices {
      if next <= number { next = self.next(after: number) }
      guard body(symbol(number, next: next)) else { return }
    }
  }
}
