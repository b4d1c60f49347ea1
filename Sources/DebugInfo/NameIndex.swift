import Bytes

/// Where names are in a table that is not in their order: found by a hash of 32 bits, and told apart by the table.
package struct NameIndex: Sendable {
  /// The hash of each name, and below it the number that it has in the table; ascending.
  private let entries: [UInt64]

  /// The hash of a name: FNV-1a, byte by byte.
  package struct Hash {
    fileprivate private(set) var value: UInt32 = 0x811c_9dc5

    /// The hash of no bytes.
    package init() {}

    /// Takes the next byte.
    @inline(__always)
    package mutating func add(_ byte: UInt8) { value = (value ^ UInt32(byte)) &* 0x0100_0193 }
  }

  /// Takes the names that `forEach` gives, each with its number, which is below 2^32.
  package init(_ forEach: (_ add: (Hash, Int) -> Void) -> Void) {
    var entries: [UInt64] = []
    forEach { hash, number in entries.append(UInt64(hash.value) << 32 | UInt64(UInt32(truncatingIfNeeded: number))) }
    entries.sort()
    self.entries = entries
  }

  /// The lowest number that may be that of `name` and `isRight`.
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
