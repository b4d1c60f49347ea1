/// Lines broken at spaces, so that a terminal does not break them elsewhere. Words stay whole: an address, a path or a
/// symbol longer than a line can still be pasted back.
struct Folding {
  /// The columns of a line.
  let width: Int
  /// The column where a continued line begins.
  let indent: Int

  /// A continued line has at least this much room.
  private static let leastRoom = 24

  init(width: Int, indent: Int) {
    self.width = width
    self.indent = max(0, min(indent, width - Self.leastRoom))
  }

  /// `text`, one or more lines that end with newlines, folded.
  func folded(_ text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count + text.count / 8)
    for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast() {
      fold(line, &result)
      result.append(UInt8(ascii: "\n"))
    }
    return result
  }

  private func fold(_ line: ArraySlice<UInt8>, _ result: inout [UInt8]) {
    var start = line.startIndex
    var column = 0
    // The space to break at, and whether anything stands between the indentation and it.
    var space: Int?
    var hasWord = false
    var isEscape = false
    var at = start
    while at < line.endIndex {
      let value = line[at]
      if isEscape {
        // CSI sequences end with a letter.
        isEscape = !(UInt8(ascii: "a")...UInt8(ascii: "z") ~= value || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= value)
      } else if value == 0x1b {
        isEscape = true
      } else if value & 0xc0 != 0x80 {
        if value == UInt8(ascii: " ") {
          if hasWord, column <= width { space = at }
        } else {
          if column >= indent { hasWord = true }
          if column >= width, let end = space {
            result += Self.trimmed(line[start..<end])
            result.append(UInt8(ascii: "\n"))
            result += repeatElement(UInt8(ascii: " "), count: indent)
            start = line[end...].firstIndex { $0 != UInt8(ascii: " ") } ?? line.endIndex
            (column, space, hasWord, at) = (indent, nil, false, start)
            continue
          }
        }
        column += 1
      }
      at += 1
    }
    result += line[start...]
  }

  private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var line = line
    while line.last == UInt8(ascii: " ") { line.removeLast() }
    return line
  }
}
