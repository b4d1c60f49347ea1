/// Memory at a virtual address that is written word by word.
struct WrittenMemory {
  let start: UInt64
  var bytes: [UInt8]

  mutating func put<T: FixedWidthInteger>(_ value: T, _ address: UInt64) {
    let at = Int(address - start)
    bytes.replaceSubrange(at..<(at + T.bitWidth / 8), with: [UInt8](little: value))
  }

  mutating func put(_ text: String, _ address: UInt64) {
    let at = Int(address - start)
    bytes.replaceSubrange(at..<(at + text.utf8.count), with: Array(text.utf8))
  }

  /// Makes the circular list of these links, the first the head.
  mutating func link(_ links: [UInt64]) {
    for (number, link) in links.enumerated() {
      let next = links[(number + 1) % links.count]
      put(next, link)
      put(link, next + 8)
    }
  }
}
