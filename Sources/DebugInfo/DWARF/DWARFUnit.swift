import Bytes
import CDw

/// The code and line information of a compilation unit's entry.
///
/// Safety: as of the entry itself. A `Dwarf_Line` and its file name lie in tables that libdw makes for the unit and
/// keeps until the session ends; both are read before the call returns, and the name is copied.
extension DWARFEntry {
  /// The directory of compilation (DW_AT_comp_dir); nil if absent.
  var folder: String? {
    var die = unsafe die
    return unsafe dw_text(&die, UInt32(DW_AT_comp_dir)).map { unsafe String(cString: $0) }
  }

  /// Shows `body` the start and end of each range of its code until it returns false; in a damaged file the end may
  /// precede the start.
  func forEachCodeRange(_ body: (_ start: UInt64, _ end: UInt64) -> Bool) {
    var die = unsafe die
    var position = 0
    var base: UInt64 = 0
    var start: UInt64 = 0
    var end: UInt64 = 0
    while true {
      unsafe position = dwarf_ranges(&die, position, &base, &start, &end)
      guard position > 0, body(start, end) else { return }
    }
  }

  /// The file, as named to the compiler, and the line of the code at `address`. libdw unpacks the unit's whole line
  /// table, so its size must be checked first.
  func line(at address: UInt64) -> (file: String, number: Int)? {
    var die = unsafe die
    var number: Int32 = 0
    guard let line = unsafe dwarf_getsrc_die(&die, address), unsafe dwarf_lineno(line, &number) == 0,
      let file = unsafe dwarf_linesrc(line, nil, nil)
    else { return nil }
    return (unsafe String(cString: file), Int(number))
  }
}
