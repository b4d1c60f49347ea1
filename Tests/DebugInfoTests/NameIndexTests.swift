import Testing

@testable import DebugInfo

/// Names found by their hashes.
struct NameIndexTests {
  /// "costarring" and "liquid" have the same hash by FNV-1a in 32 bits.
  private static let names = ["zeta", "liquid", "costarring", "", "liquid", "alpha"]

  private func find(_ name: String) -> Int? {
    let names = Self.names
    let index = NameIndex { add in
      for (number, name) in names.enumerated() {
        var hash = NameIndex.Hash()
        for byte in name.utf8 { hash.add(byte) }
        add(hash, number)
      }
    }
    return index.first(Array(name.utf8)) { names[$0] == name }
  }

  @Test("The first of each name is found, also where others have its hash", arguments: names)
  func first(_ name: String) { #expect(find(name) == Self.names.firstIndex(of: name)) }

  @Test("What is not there is not found", arguments: ["alph", "alphaa", "declinate"])
  func absent(_ name: String) { #expect(find(name) == nil) }
}
