/// Breaks lines at spaces, so that a terminal does not break them elsewhere. Words stay whole: an address, a path or a
/// symbol longer than a line can still be pasted back.
struct Folding {
  /// The width of a line in columns.
  let width: Int
  /// The column where a continued line begins.
  let indent: Int

  /// The smallest indent to which long words are moved.
  private static let leastIndent = 2
  /// The least room on a continued line.
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
    var indent = indent
    // The start of the current word.
    var word: (place: Int, edge: Int)?
    // The space to break at: one after a word, or else one before the first.
    var space: Int?
    var firstSpace: Int?
    var at = start
    while at < line.endIndex {
      let value = line[at]
      if value == 0x1b {
        // CSI sequences end with a letter.
        while at < line.endIndex, !Self.isLetter(line[at]) { at += 1 }
      } else if value == UInt8(ascii: " ") {
        if let word {
          // The last that fits, or else the first.
          if word.edge >= indent {
            if column <= width || space == nil { space = at }
          } else {
            firstSpace = at
          }
        }
        word = nil
        column += 1
      } else if value & 0xc0 != 0x80 {
        if word == nil { word = (at, column) }
        if column >= width, let end = space ?? firstSpace, let next = line[end...].firstIndex(where: { $0 != 0x20 }) {
          // A word too long for the rest of its line gets as much of a line as it needs.
          let length = line[next...].prefix { $0 != 0x20 }.count { $0 & 0xc0 != 0x80 }
          let place = min(self.indent, max(width - length, Self.leastIndent))
          if space != nil || place < (word?.edge ?? 0) {
            result += Self.trimmed(line[start..<end])
            result.append(UInt8(ascii: "\n"))
            result += repeatElement(UInt8(ascii: " "), count: place)
            (start, at, column, indent) = (next, next, place, place)
            (word, space, firstSpace) = (nil, nil, nil)
            continue
          }
        }
        column += 1
      }
      at += 1
    }
    result += line[start...]
  }

  private static func isLetter(_ value: UInt8) -> Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= value | 0x20 }

  private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var line = line
    while line.last == UInt8(ascii: " ") { line.removeLast() }
    return line
  }
}
