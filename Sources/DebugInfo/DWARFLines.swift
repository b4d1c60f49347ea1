import Bytes
import CDw

/// Source lines of addresses.
extension DWARFReader {
  /// The code of one compilation unit, or a part of it.
  struct CodeRange {
    var start: UInt64
    var end: UInt64
    /// Where the unit's entry is in `.debug_info`.
    var unit: UInt64
  }

  /// Instructions at the start of a function that gcc leaves out of its range: the two NOPs where tracing is
  /// patched in (-fpatchable-function-entry=2, CONFIG_DYNAMIC_FTRACE_WITH_REGS, 5.5).
  private static let entryPadding: UInt64 = 8

  /// The line that the code at link address `address` was made of.
  mutating func sourceLine(at address: UInt64) -> SourceLine? {
    var unit = unsafe Dwarf_Die()
    guard let place = unsafe findUnit(of: address, &unit), unsafe hasBoundedLines(&unit),
      let line = unsafe dwarf_getsrc_die(&unit, place)
    else { return nil }
    var number: Int32 = 0
    guard unsafe dwarf_lineno(line, &number) == 0, let file = unsafe dwarf_linesrc(line, nil, nil) else { return nil }
    var folder: String?
    var attribute = unsafe Dwarf_Attribute()
    if unsafe dwarf_attr(&unit, UInt32(DW_AT_comp_dir), &attribute) != nil,
      let text = unsafe dwarf_formstring(&attribute)
    {
      folder = unsafe String(cString: text)
    }
    return SourceLine(file: unsafe Self.shortened(String(cString: file), folder: folder), line: Int(number))
  }

  /// Makes `unit` the compilation unit that `address`, or what it is the padding of, lies in.
  ///
  /// - Returns: the address to ask it for.
  private mutating func findUnit(of address: UInt64, _ unit: inout Dwarf_Die) -> UInt64? {
    let places = [address, address &+ Self.entryPadding]
    for place in places where unsafe dwarf_addrdie(dwarf, place, &unit) != nil { return place }
    // clang writes no .debug_aranges, and an assembler beside it does: what they lack, the units tell.
    let ranges = codeRanges ?? makeCodeRanges()
    codeRanges = ranges
    for place in places {
      var low = 0
      var high = ranges.count
      while low < high {
        let middle = (low + high) / 2
        if ranges[middle].start <= place { low = middle + 1 } else { high = middle }
      }
      if low > 0, place < ranges[low - 1].end, unsafe dwarf_offdie(dwarf, ranges[low - 1].unit, &unit) != nil {
        return place
      }
    }
    return nil
  }

  private func makeCodeRanges() -> [CodeRange] {
    var result: [CodeRange] = []
    var unit: OpaquePointer?
    var version: Dwarf_Half = 0
    var kind: UInt8 = 0
    var top = unsafe Dwarf_Die()
    var unitsLeft = Limits.compilationUnits
    while unitsLeft > 0, unsafe dwarf_get_units(dwarf, unit, &unit, &version, &kind, &top, nil) == 0 {
      unitsLeft -= 1
      guard kind == UInt8(DW_UT_compile) else { continue }
      let offset = unsafe dwarf_dieoffset(&top)
      var position = 0
      var base: UInt64 = 0
      var start: UInt64 = 0
      var end: UInt64 = 0
      while result.count < Limits.codeRanges {
        unsafe position = dwarf_ranges(&top, position, &base, &start, &end)
        guard position > 0 else { break }
        if start < end { result.append(CodeRange(start: start, end: end, unit: offset)) }
      }
    }
    return result.sorted { $0.start < $1.start }
  }

  /// Whether the line table of `unit` is of a size that libdw may unpack.
  private func hasBoundedLines(_ unit: inout Dwarf_Die) -> Bool {
    var attribute = unsafe Dwarf_Attribute()
    var offset: UInt64 = 0
    guard unsafe dwarf_attr(&unit, UInt32(DW_AT_stmt_list), &attribute) != nil,
      unsafe dwarf_formudata(&attribute, &offset) == 0
    else { return false }
    let lines = unsafe Self.section(".debug_line", of: dwarf)
    guard lines.count >= 4, offset <= UInt64(lines.count - 4) else { return false }
    // unit_length; the 64-bit form begins with 0xffffffff, which no limit lets through.
    let length = unsafe lines.loadUnaligned(fromByteOffset: Int(offset), as: UInt32.self)
    return UInt64(UInt32(littleEndian: length)) <= Limits.lineTableBytes
  }

  /// `path` without the folder that it was compiled in, and without `.` and `..` on the way.
  static func shortened(_ path: String, folder: String?) -> String {
    let file = normal(path)
    guard let folder = folder.map(normal), !folder.isEmpty, folder != "/" else { return file }
    return file.hasPrefix(folder + "/") ? String(file.dropFirst(folder.utf8.count + 1)) : file
  }

  private static func normal(_ path: String) -> String {
    var parts: [Substring] = []
    for part in path.split(separator: "/") where part != "." {
      if part == "..", let last = parts.last, last != ".." { parts.removeLast() } else { parts.append(part) }
    }
    return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
  }
}
