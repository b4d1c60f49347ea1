import Bytes
import CDw

/// Source lines of addresses.
extension DWARFReader {
  /// A range of a compilation unit's code.
  struct CodeRange {
    var code: Range<UInt64>
    /// The offset of the unit's entry in `.debug_info`.
    var unit: UInt64
  }

  /// Instructions at the start of a function that gcc leaves out of its range: the two NOPs that ftrace patches
  /// (-fpatchable-function-entry=2, CONFIG_DYNAMIC_FTRACE_WITH_REGS, 5.5).
  private static let entryPadding: UInt64 = 8

  /// The source line of the code at link address `address`.
  mutating func sourceLine(at address: UInt64) -> SourceLine? {
    guard let place = findUnit(of: address), let unit = session.entry(at: place.unit), hasBoundedLines(unit),
      let line = unit.line(at: place.address)
    else { return nil }
    return SourceLine(file: Self.shortened(line.file, folder: unit.folder), line: line.number)
  }

  /// The compilation unit of `address`, or of the function whose padding it is in, and the address to look up there.
  private mutating func findUnit(of address: UInt64) -> (unit: UInt64, address: UInt64)? {
    let places = [address, address &+ Self.entryPadding]
    for place in places {
      if let unit = session.unit(at: place) { return (unit, place) }
    }
    // clang writes no .debug_aranges, but the assembler does: the units have what they lack.
    let ranges = codeRanges ?? makeCodeRanges()
    codeRanges = ranges
    for place in places {
      let next = ranges.partitioningIndex { $0.code.lowerBound > place }
      if next > 0, ranges[next - 1].code.contains(place) { return (ranges[next - 1].unit, place) }
    }
    return nil
  }

  private func makeCodeRanges() -> [CodeRange] {
    var result: [CodeRange] = []
    var left = Limits.codeRanges
    session.forEachUnit { unit in
      let offset = unit.offset
      unit.forEachCodeRange { start, end in
        if start < end { result.append(CodeRange(code: start..<end, unit: offset)) }
        left -= 1
        return left > 0
      }
    }
    return result.sorted { $0.code.lowerBound < $1.code.lowerBound }
  }

  /// Whether the line table of `unit` is small enough for libdw to unpack.
  private func hasBoundedLines(_ unit: DWARFEntry) -> Bool {
    guard let offset = unit.constant(DW_AT_stmt_list).flatMap({ Int(exactly: $0) }),
      // unit_length; the 64-bit form begins with 0xffffffff, which exceeds any limit.
      let length = session[.lines].integer(UInt32.self, at: offset)
    else { return false }
    return UInt64(length) <= Limits.lineTableBytes
  }

  /// `path` without the directory of compilation, and without `.` and `..` components.
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
