/// A name with `*` and `?` in it.
struct NamePattern {
  private let pattern: [UInt8]

  init(_ text: String) { pattern = Array(text.utf8) }

  /// Whether `name` is like the pattern. Time grows with the product of the lengths at most.
  func matches(_ name: String) -> Bool {
    let name = Array(name.utf8)
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
