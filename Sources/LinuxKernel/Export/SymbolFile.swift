import Bytes
import DebugInfo

/// An ELF file of a kernel's symbols at their runtime addresses, without contents, for debuggers and binutils.
struct SymbolFile {
  /// A part of the address space that holds code or data.
  struct Section {
    var name: String
    var range: Range<UInt64>
    var isExecutable: Bool
  }

  /// Sorted by address, disjoint.
  let sections: [Section]
  let symbols: [Symbol]
  /// The address of the kernel image's first instruction; debuggers compare it with that of a core.
  let entry: UInt64

  /// The most sections that `st_shndx` can name, less those that describe the file. (SHN_LORESERVE)
  private static let mostSections = 0xff00 - 4

  /// - Parameters:
  ///   - sections: those that overlap an earlier one are left out.
  ///   - symbols: in any order.
  ///   - entry: the address of the kernel image's first instruction.
  init(sections: [Section], symbols: [Symbol], entry: UInt64) {
    var end: UInt64 = 0
    self.entry = entry
    self.sections = Array(
      sections.sorted { $0.range.lowerBound < $1.range.lowerBound }.filter { section in
        guard section.range.lowerBound >= end, !section.range.isEmpty else { return false }
        end = section.range.upperBound
        return true
      }.prefix(Self.mostSections))
    self.symbols = symbols
  }

  /// Writes the file.
  ///
  /// - Throws: `LocatedError` if it cannot be written.
  func write(to path: String) throws(LocatedError) {
    var names = StringTable()
    var symbolNames = StringTable()
    var table = ELFWriter()
    table.symbol(name: 0, info: 0, section: 0, value: 0, size: 0)
    // Local symbols come before global ones.
    let isGlobal = symbols.map { $0.type.map { 0x41...0x5a ~= $0 } ?? true }
    var locals = 1
    for wanted in [false, true] {
      for (number, symbol) in symbols.enumerated() where isGlobal[number] == wanted {
        let (section, kind) = place(of: symbol)
        if !wanted { locals += 1 }
        table.symbol(
          name: symbolNames.add(symbol.name), info: (wanted ? 1 : 0) << 4 | kind, section: section,
          value: symbol.address, size: symbol.size)
      }
    }
    let count = sections.count + 4
    var start = ELFWriter.headerSize
    var headers = ELFWriter()
    headers.sectionHeader()
    // lldb merges sections of the same name.
    var named: [String: Int] = [:]
    for section in sections {
      let place = named[section.name, default: 0]
      named[section.name] = place + 1
      // SHT_NOBITS; SHF_ALLOC with SHF_EXECINSTR or SHF_WRITE
      headers.sectionHeader(
        name: names.add(place == 0 ? section.name : "\(section.name).\(place)"), type: 8,
        flags: section.isExecutable ? 6 : 3,
        address: section.range.lowerBound, offset: start,
        size: section.range.upperBound - section.range.lowerBound, alignment: 4)
    }
    // SHT_SYMTAB, SHT_STRTAB
    headers.sectionHeader(
      name: names.add(".symtab"), type: 2, offset: start, size: UInt64(table.bytes.count),
      link: UInt32(count - 2), info: UInt32(locals), alignment: 8, entrySize: ELFWriter.symbolSize)
    start += UInt64(table.bytes.count)
    headers.sectionHeader(
      name: names.add(".strtab"), type: 3, offset: start, size: UInt64(symbolNames.bytes.count), alignment: 1)
    start += UInt64(symbolNames.bytes.count)
    let own = names.add(".shstrtab")
    headers.sectionHeader(name: own, type: 3, offset: start, size: UInt64(names.bytes.count), alignment: 1)
    start = (start + UInt64(names.bytes.count) + 7) & ~7
    var header = ELFWriter()
    // ET_EXEC
    header.header(type: 2, entry: entry, programHeaders: (0, 0), sectionHeaders: (start, count), names: count - 1)
    var file = try OutputFile(path)
    try file.write((header.bytes + table.bytes + symbolNames.bytes + names.bytes).rawSpan, at: 0)
    try file.write(headers.bytes.rawSpan, at: start)
    try file.finish(size: start + UInt64(headers.bytes.count))
  }

  /// The index of the section of `symbol`, SHN_ABS if it lies in none, and its type: STT_FUNC, STT_OBJECT or
  /// STT_NOTYPE.
  private func place(of symbol: Symbol) -> (section: UInt16, kind: UInt8) {
    let index = sections.partitioningIndex { $0.range.upperBound > symbol.address }
    guard index < sections.count, sections[index].range.contains(symbol.address) else { return (0xfff1, 0) }
    return (UInt16(index + 1), sections[index].isExecutable ? 2 : 1)
  }
}

/// An ELF string table: NUL-terminated names, the first empty.
private struct StringTable {
  private(set) var bytes: [UInt8] = [0]

  /// Adds `name`, and returns its offset.
  mutating func add(_ name: String) -> Int {
    let place = bytes.count
    bytes += name.utf8.filter { $0 != 0 }
    bytes.append(0)
    return place
  }
}
