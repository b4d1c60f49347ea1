import Bytes

/// An index of names in a table sorted otherwise: found by a 32-bit hash, and confirmed in the table.
package struct NameIndex: Sendable {
  /// The hash of each name in the upper half, its number in the table in the lower; ascending.
  private let entries: [UInt64]

  /// The hash of a name: FNV-1a, byte by byte.
  package struct Hash {
    fileprivate private(set) var value: UInt32 = 0x811c_9dc5

    /// The hash of no bytes.
    package init() {}

    /// Adds the next byte.
    @inline(__always)
    package mutating func add(_ byte: UInt8) { value = (value ^ UInt32(byte)) &* 0x0100_0193 }
  }

  /// Indexes the names from `forEach`, each with its number, which is below 2^32.
  package init(_ forEach: (_ add: (Hash, Int) -> Void) -> Void) {
    var entries: [UInt64] = []
    forEach { hash, number in entries.append(UInt64(hash.value) << 32 | UInt64(UInt32(truncatingIfNeeded: number))) }
    entries.sort()
    self.entries = entries
  }

  /// The lowest number with the hash of `name` that satisfies `isRight`.
  package func first(_ name: [UInt8], where isRight: (Int) -> Bool) -> Int? {
    var hash = Hash()
    for byte in name { hash.add(byte) }
    var place = (0..<entries.count).partitioningIndex { entries[$0] >> 32 >= UInt64(hash.value) }
    while place < entries.count, entries[place] >> 32 == UInt64(hash.value) {
      let number = Int(entries[place] & 0xffff_ffff)
      if isRight(number) { return number }
      place += 1
    }
    return nil
  }
}
