/// All names, with the start of every sixteenth.
struct KallsymsNames: Sendable {
  static var spacing: Int { 16 }
  let bytes: [UInt8]
  /// Symbols whose names are lost.
  let lost: Int
  private let marks: [UInt32]

  /// Marks a lost position.
  private static var none: UInt32 { .max }

  /// Finds the names in `bytes`.
  ///
  /// - Parameters:
  ///   - blocks: the start of each block's names, and their number.
  ///   - isEnd: whether the names of a block may end at an offset.
  init(
    _ bytes: [UInt8], _ tokens: KallsymsTokens, _ blocks: [(start: Int, count: Int)],
    isEnd: (_ block: Int, _ place: Int) -> Bool
  ) {
    var marks: [UInt32] = []
    var lost = 0
    for (number, block) in blocks.enumerated() {
      let before = marks.count
      var position: Int? = block.start
      for first in stride(from: 0, to: block.count, by: Self.spacing) {
        marks.append(position.flatMap { UInt32(exactly: $0) } ?? Self.none)
        position = position.flatMap {
          tokens.end(ofNames: min(Self.spacing, block.count - first), from: $0, in: bytes)
        }
      }
      if let position, isEnd(number, position) { continue }
      lost += block.count
      for index in before..<marks.count { marks[index] = Self.none }
      // Damage may begin in the last name of the previous block.
      if before > 0, marks[before - 1] != Self.none {
        lost += Self.spacing
        marks[before - 1] = Self.none
      }
    }
    self.bytes = bytes
    self.lost = lost
    self.marks = marks
  }

  /// The start of the nearest marked name at or before that of symbol `number`; nil if it is lost.
  func mark(_ number: Int) -> Int? {
    let place = number / Self.spacing
    return place < marks.count && marks[place] != Self.none ? Int(marks[place]) : nil
  }
}
