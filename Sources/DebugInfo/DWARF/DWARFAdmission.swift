import Bytes

/// Decides which units libdw may be asked about.
///
/// To find the unit of an entry, libdw visits all units before it, and reads and keeps the abbreviations of each up to
/// that of the unit's own entry, which compilers write first. If many units name an abbreviation that is the last of
/// many, or missing, a small file would take gigabytes. So this counts them beforehand.
struct DWARFAdmission {
  /// The start of each unit visited, in order.
  private var starts: [Int] = []
  private var next = 0
  /// The starts of those whose abbreviations were all counted, and are not too many.
  private var whole: Set<Int> = []
  /// The number of abbreviations that libdw may still read.
  private var left = Limits.abbreviationsKept

  /// Whether unit `number` exists and may be read.
  mutating func admits(unit number: Int, _ info: RawSpan, _ abbreviations: RawSpan) -> Bool {
    while number >= starts.count { guard pass(info, abbreviations) else { return false } }
    return true
  }

  /// Whether the unit around `offset` may be read, with all of its abbreviations if `whole` is true.
  mutating func admits(offset: UInt64, whole: Bool, _ info: RawSpan, _ abbreviations: RawSpan) -> Bool {
    guard let offset = Int(exactly: offset) else { return false }
    while offset >= next { guard pass(info, abbreviations) else { return false } }
    return whole ? admitsWhole(around: offset, info, abbreviations) : true
  }

  private mutating func admitsWhole(around offset: Int, _ info: RawSpan, _ abbreviations: RawSpan) -> Bool {
    let next = starts.partitioningIndex { $0 > offset }
    guard next > 0 else { return false }
    let start = starts[next - 1]
    if whole.contains(start) { return true }
    guard let unit = DWARFUnitHeader(info, at: start)?.content,
      take(abbreviations, unit.abbreviations, until: 0) <= Limits.abbreviations, left > 0
    else { return false }
    whole.insert(start)
    return true
  }

  private mutating func pass(_ info: RawSpan, _ abbreviations: RawSpan) -> Bool {
    guard left > 0, starts.count < Limits.compilationUnits, let header = DWARFUnitHeader(info, at: next) else {
      return false
    }
    if let content = header.content {
      var position = content.entries
      _ = take(abbreviations, content.abbreviations, until: info.unsignedLEB(at: &position) ?? 0)
    }
    guard left > 0 else { return false }
    starts.append(next)
    next = header.end
    return true
  }

  /// Counts the abbreviations from `offset` up to number `wanted`, or to the end.
  private mutating func take(_ bytes: RawSpan, _ offset: UInt64, until wanted: UInt64) -> Int {
    guard var position = Int(exactly: offset) else { return 0 }
    var count = 0
    while left > 0, let code = bytes.unsignedLEB(at: &position), code != 0 {
      left -= 1
      count += 1
      guard code != wanted, bytes.unsignedLEB(at: &position) != nil else { break }
      position += 1
      while let attribute = bytes.unsignedLEB(at: &position), let form = bytes.unsignedLEB(at: &position),
        attribute != 0 || form != 0
      {
        // DW_FORM_implicit_const has its value here.
        if form == 0x21 { _ = bytes.unsignedLEB(at: &position) }
      }
    }
    return count
  }
}
