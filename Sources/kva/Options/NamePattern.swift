/// A name pattern with `*` and `?`.
struct NamePattern {
  private let pattern: [UInt8]
  private let ignoresCase: Bool

  init(_ text: String, ignoresCase: Bool = false) {
    self.ignoresCase = ignoresCase
    pattern = text.utf8.map { ignoresCase ? Self.lowered($0) : $0 }
  }

  private static func lowered(_ letter: UInt8) -> UInt8 {
    UInt8(ascii: "A")...UInt8(ascii: "Z") ~= letter ? letter | 0x20 : letter
  }

  /// Whether `name` matches the pattern. Takes time at most proportional to the product of the lengths.
  func matches(_ name: String) -> Bool {
    let name = ignoresCase ? name.utf8.map(Self.lowered) : Array(name.utf8)
    var at = 0
    var place = 0
    var star: (pattern: Int, name: Int)?
    while place < name.count {
      if at < pattern.count, pattern[at] == UInt8(ascii: "*") {
        star = (at, place)
        at += 1
      } else if at < pattern.count, pattern[at] == UInt8(ascii: "?") || pattern[at] == name[place] {
        at += 1
        place += 1
      } else if let last = star {
        at = last.pattern + 1
        place = last.name + 1
        star = (last.pattern, place)
      } else {
        return false
      }
    }
    return pattern[at...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
