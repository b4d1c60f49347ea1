import Testing
import VMSA

/// The shape of the tables for each page size and width. (Arm ARM D8.2.7 to D8.2.9)
@Suite struct GeometryTests {
  struct Row: CustomTestStringConvertible, Sendable {
    let granule: Granule
    let bits: Int
    let levels: Int
    let start: Int
    let entries: Int
    let bytes: Int
    var testDescription: String { "\(granule)/\(bits)" }
  }

  static let rows: [Row] = [
    Row(granule: .fourKiB, bits: 36, levels: 3, start: 1, entries: 64, bytes: 512),
    Row(granule: .fourKiB, bits: 39, levels: 3, start: 1, entries: 512, bytes: 4096),
    Row(granule: .fourKiB, bits: 42, levels: 4, start: 0, entries: 8, bytes: 64),
    Row(granule: .fourKiB, bits: 47, levels: 4, start: 0, entries: 256, bytes: 2048),
    Row(granule: .fourKiB, bits: 48, levels: 4, start: 0, entries: 512, bytes: 4096),
    Row(granule: .fourKiB, bits: 52, levels: 5, start: -1, entries: 16, bytes: 128),
    Row(granule: .sixteenKiB, bits: 36, levels: 2, start: 2, entries: 2048, bytes: 16384),
    Row(granule: .sixteenKiB, bits: 39, levels: 3, start: 1, entries: 8, bytes: 64),
    Row(granule: .sixteenKiB, bits: 42, levels: 3, start: 1, entries: 64, bytes: 512),
    Row(granule: .sixteenKiB, bits: 47, levels: 3, start: 1, entries: 2048, bytes: 16384),
    Row(granule: .sixteenKiB, bits: 48, levels: 4, start: 0, entries: 2, bytes: 16),
    Row(granule: .sixteenKiB, bits: 52, levels: 4, start: 0, entries: 32, bytes: 256),
    Row(granule: .sixtyFourKiB, bits: 36, levels: 2, start: 2, entries: 128, bytes: 1024),
    Row(granule: .sixtyFourKiB, bits: 39, levels: 2, start: 2, entries: 1024, bytes: 8192),
    Row(granule: .sixtyFourKiB, bits: 42, levels: 2, start: 2, entries: 8192, bytes: 65536),
    Row(granule: .sixtyFourKiB, bits: 47, levels: 3, start: 1, entries: 32, bytes: 256),
    Row(granule: .sixtyFourKiB, bits: 48, levels: 3, start: 1, entries: 64, bytes: 512),
    Row(granule: .sixtyFourKiB, bits: 52, levels: 3, start: 1, entries: 1024, bytes: 8192),
  ]

  @Test(arguments: rows)
  func rootFollowsFromTheWidth(_ row: Row) {
    let regime = TranslationRegime(
      register: .ttbr1EL1, granule: row.granule, tableBits: row.bits, format: .bits48(row.granule),
      root: PhysicalAddress(0))
    #expect(regime.levels == row.levels)
    #expect(regime.startLevel == row.start)
    #expect(regime.rootEntries == row.entries)
    #expect(regime.rootSize == row.bytes)
    #expect(regime.addressBits == row.bits)
  }

  @Test func eachLevelResolvesItsBits() {
    let lowest: [Granule: [Int: Int]] = [
      .fourKiB: [-1: 48, 0: 39, 1: 30, 2: 21, 3: 12],
      .sixteenKiB: [0: 47, 1: 36, 2: 25, 3: 14],
      .sixtyFourKiB: [1: 42, 2: 29, 3: 16],
    ]
    for (granule, levels) in lowest {
      for (level, bit) in levels { #expect(granule.shift(level: level) == bit, "\(granule) level \(level)") }
    }
    #expect(Granule.allCases.map(\.indexBits) == [9, 11, 13])
    #expect(Granule.allCases.map(\.size) == [4096, 16384, 65536])
  }

  @Test func pageSizesOfOtherMachinesAreRefused() {
    #expect([4096, 16384, 65536].map(Granule.init(size:)) == [.fourKiB, .sixteenKiB, .sixtyFourKiB])
    for size: UInt64 in [0, 1, 2048, 8192, 32768, 131072, .max] { #expect(Granule(size: size) == nil) }
  }

  /// Bytes that one contiguous group covers. (CONT_PTE_SIZE and CONT_PMD_SIZE, asm/pgtable-hwdef.h)
  @Test func contiguousGroupsCoverWhatLinuxSays() {
    let groups: [(Granule, Int, UInt64)] = [
      (.fourKiB, 3, 64 << 10), (.fourKiB, 2, 32 << 20), (.sixteenKiB, 3, 2 << 20), (.sixteenKiB, 2, 1 << 30),
      (.sixtyFourKiB, 3, 2 << 20), (.sixtyFourKiB, 2, 16 << 30),
    ]
    for (granule, level, bytes) in groups {
      #expect(UInt64(granule.contiguousEntries(level: level)) << UInt64(granule.shift(level: level)) == bytes)
    }
  }

  /// Widths come from files too: none may trap or make a walk of no level or of six.
  @Test func impossibleWidthsAreBroughtIntoRange() {
    for granule in Granule.allCases {
      for bits in [Int.min, -1, 0, 12, 53, 64, 1000, Int.max] {
        let regime = TranslationRegime(
          register: .ttbr1EL1, granule: granule, tableBits: bits, addressBits: bits, format: .bits48(granule),
          physicalBits: bits, root: PhysicalAddress(0))
        #expect((granule.pageShift + 1...52).contains(regime.tableBits))
        #expect(regime.addressBits <= regime.tableBits)
        #expect((granule.pageShift...52).contains(regime.physicalBits))
        #expect((-1...3).contains(regime.startLevel))
      }
    }
  }
}
