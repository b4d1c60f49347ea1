import Bytes
import CDw

/// What the entry of a compilation unit says of its code.
///
/// Safety: as of the entry itself. A `Dwarf_Line` and the file's name that it leads to lie in tables that libdw makes for
/// the unit and keeps until the session ends; both are looked at before the call returns, and the name is copied.
extension DWARFEntry {
  /// The folder in which it was compiled (DW_AT_comp_dir); nil if it does not say.
  var folder: String? {
    var die = unsafe die
    return unsafe dw_text(&die, UInt32(DW_AT_comp_dir)).map { unsafe String(cString: $0) }
  }

  /// Shows `body` where each range of its code begins and ends, in a damaged file perhaps not in this order, until it
  /// returns false.
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

  /// The file, as it was named to the compiler, and the line that the code at `address` was made of. libdw unpacks the
  /// unit's whole line table, which had better be of a size that is right.
  func line(at address: UInt64) -> (file: String, number: Int)? {
    var die = unsafe die
    var number: Int32 = 0
    guard let line = unsafe dwarf_getsrc_die(&die, address), unsafe dwarf_lineno(line, &number) == 0,
      let file = unsafe dwarf_linesrc(line, nil, nil)
    else { return nil }
    return (unsafe String(cString: file), Int(number))
  }
}
