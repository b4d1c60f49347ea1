import KernelVA
import TestSupport
import Testing

@testable import LinuxKernel

/// Tables that are there twice: each way by itself, in the tables of a kernel made by hand.
@Suite struct DuplicateTablesTests {
  /// Two areas of vmalloc that no other table serves, at two places of their tables of level 2, and where their tables of the last level are put.
  private static let areas: [UInt64] = [0xffff_8000_4000_0000, 0xffff_8000_8020_0000]
  private static let tables: [UInt64] = [0x4018_0000, 0x4019_0000]

  /// What is found in tables that `change` was made to.
  private func duplicates(
    isLinearExcluded: Bool = true, linearOffset: UInt64? = AuditedKernel.linear - AuditedKernel.ram,
    _ change: (inout TableWriter) -> Void
  ) throws -> DuplicateTables {
    try Scratch.withFolder { folder in
      var kernel = AuditedKernel()
      change(&kernel.writer)
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      let read = try Kernel(in: DumpFile(path: path))
      let linear = AddressLayout.Span(0xffff_0000_0000_0000, 0xffff_8000_0000_0000)
      return DuplicateTables(
        read.regime, in: read.dump.memory, limit: 4096, linearOffset: linearOffset,
        without: isLinearExcluded ? [linear] : [])
    }
  }

  /// Maps a page of each of the two areas, in a table of its own.
  private func mapAreas(_ writer: inout TableWriter, _ pages: [(index: UInt64, physical: UInt64)]) {
    for (area, table) in zip(Self.areas, Self.tables) {
      for page in pages {
        writer.map(area + page.index << 12, to: page.physical, attributes: AuditedKernel.data, places: [3: table])
      }
    }
  }

  @Test("None in tables as a kernel has them")
  func sound() throws {
    let found = try duplicates { _ in }
    #expect(found.count == 0 && found.first == nil)
    #expect(found.other(PhysicalAddress(Self.tables[0])) == nil)
  }

  @Test("Two equal tables are each other's")
  func equal() throws {
    let found = try duplicates { mapAreas(&$0, [(3, 0x4020_1000), (77, 0x4020_2000)]) }
    #expect(found.count == 2)
    #expect(found.first == PhysicalAddress(Self.tables[0]))
    #expect(found.other(PhysicalAddress(Self.tables[0])) == PhysicalAddress(Self.tables[1]))
    #expect(found.other(PhysicalAddress(Self.tables[1])) == PhysicalAddress(Self.tables[0]))
  }

  @Test("Tables that differ in one entry, the first, one between or the last, are not", arguments: [0, 100, 511])
  func different(index: UInt64) throws {
    let found = try duplicates {
      mapAreas(&$0, [(3, 0x4020_1000), (77, 0x4020_2000)])
      $0.words[Self.tables[1] + index * 8] = 0x0060_0000_4020_5703
    }
    #expect(found.count == 0)
  }

  @Test("Tables of one entry again and again are not: there may be many, as KASAN's")
  func uniform() throws {
    let found = try duplicates { mapAreas(&$0, (0..<512).map { ($0, 0x4020_1000) }) }
    #expect(found.count == 0)
  }

  @Test("A table that is used at two places is its own double, and one used twice at one place is not")
  func shared() throws {
    let found = try duplicates { writer in
      mapAreas(&writer, [(3, 0x4020_1000)])
      // The second area's table of level 2 leads to the first one's of level 3.
      let links = writer.words.filter { $0.value == Self.tables[1] | 3 }
      #expect(links.count == 1)
      for address in links.keys { writer.words[address] = Self.tables[0] | 3 }
    }
    #expect(found.count == 1)
    #expect(found.other(PhysicalAddress(Self.tables[0])) == PhysicalAddress(Self.tables[0]))
  }

  @Test("One that is equal to the linear map's table for the same memory was written over it")
  func equalToTheLinearMap() throws {
    // The linear map's table of the last level for RAM's third and fourth megabyte.
    func copy(_ writer: inout TableWriter) -> UInt64 {
      let path = writer.map(AuditedKernel.linear + 0x20_0000, to: 0x4020_0000, attributes: AuditedKernel.data)
      let table = path[3].address
      mapAreas(&writer, [(3, 0x4020_1000)])
      for index in UInt64(0)..<512 { writer.words[Self.tables[0] + index * 8] = writer.words[table + index * 8] }
      return table
    }
    var original: UInt64 = 0
    let found = try duplicates { original = copy(&$0) }
    #expect(found.other(PhysicalAddress(Self.tables[0])) == PhysicalAddress(original))
    #expect(found.count == 1)
    // Where it is not known how the linear map lies, this is not seen.
    let blind = try duplicates(linearOffset: nil) { _ = copy(&$0) }
    #expect(blind.count == 0)
    // Not left out, the linear map's is compared like all others.
    let all = try duplicates(isLinearExcluded: false, linearOffset: nil) { _ = copy(&$0) }
    #expect(all.other(PhysicalAddress(original)) == PhysicalAddress(Self.tables[0]))
  }
}
