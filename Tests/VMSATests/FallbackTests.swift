import TestSupport
import Testing
import VMSA

/// Kernels built for 52 bits on hardware that has fewer.
@Suite struct FallbackTests {
  /// 64 KiB pages: the tables keep the shape of 52 bits, with 1024 entries in the root, and TTBR1_EL1 points
  /// to the last 64 of them. (TTBR1_BADDR_4852_OFFSET, asm/pgtable-hwdef.h)
  @Test func tables64KiBReadAlikeFromTheSymbolAndTheRegister() {
    let swapper: UInt64 = 0x5_4321_0000
    var writer = TableWriter(.k64, .lpa, vaBits: 52, root: swapper)
    let pages: [(va: UInt64, pa: UInt64, index: Int)] = [
      (0xffff_0000_0000_0000, 0x8_0000_0000, 960),
      (0xffff_8000_0801_0000, 0x8_1234_0000, 992),
      (0xffff_fc00_0000_0000, 0x8_5678_0000, 1023),
      (0xffff_ffff_ffff_0000, 0x8_9abc_0000, 1023),
    ]
    for page in pages {
      let path = writer.map(page.va, to: page.pa)
      #expect(path.first?.index == page.index)
    }
    let memory = TableMemory(writer)
    let symbol = TranslationRegime(
      register: .ttbr1EL1, granule: .sixtyFourKiB, tableBits: 52, addressBits: 48, format: .lpa64KiB,
      root: PhysicalAddress(swapper))
    let register = TranslationRegime(
      register: .ttbr1EL1, granule: .sixtyFourKiB, tableBits: 48, format: .lpa64KiB,
      root: PhysicalAddress(swapper + 0x1e00))
    #expect(symbol.rootEntries == 1024)
    #expect(register.rootEntries == 64)
    for page in pages {
      let address = VirtualAddress(page.va + 0x1234)
      #expect(symbol.walk(address, in: memory).leaf?.physical.rawValue == page.pa + 0x1234)
      #expect(symbol.walk(address, in: memory) == register.walk(address, in: memory))
    }
    // Not mapped: the same answer still.
    let hole = VirtualAddress(0xffff_4000_0000_0000)
    #expect(symbol.walk(hole, in: memory) == .unmapped(level: 1))
    #expect(register.walk(hole, in: memory) == .unmapped(level: 1))
  }

  /// The CPU faults on what lies beyond its 48 bits, though the tables would have a place for it.
  @Test func tables64KiBKeepTheWidthOfTheHardware() {
    var writer = TableWriter(.k64, .lpa, vaBits: 52)
    let beyond: UInt64 = 0xfff8_0000_0000_0000
    let last: UInt64 = 0xfffe_ffff_ffff_0000
    writer.map(beyond, to: 0x8_0000_0000)
    writer.map(last, to: 0x8_0001_0000)
    let memory = TableMemory(writer)
    for (bits, mapped) in [(48, false), (52, true)] {
      let regime = TranslationRegime(
        register: .ttbr1EL1, granule: .sixtyFourKiB, tableBits: 52, addressBits: bits, format: .lpa64KiB,
        root: PhysicalAddress(writer.root))
      for address in [beyond, last] {
        let result = regime.walk(VirtualAddress(address), in: memory)
        #expect(mapped ? result.leaf != nil : result == .notCanonical)
      }
    }
  }

  /// 64 KiB, user tables: the root of 1024 entries is read from its beginning.
  @Test func userTables64KiBStartAtTheFirstEntry() {
    var writer = TableWriter(.k64, .lpa, vaBits: 52)
    let path = writer.map(0x0000_aaab_1234_0000, to: 0x8_0000_0000)
    #expect(path.first?.index == 42)
    let regime = TranslationRegime(
      register: .ttbr0EL1, granule: .sixtyFourKiB, tableBits: 52, addressBits: 48, format: .lpa64KiB,
      root: PhysicalAddress(writer.root))
    let result = regime.walk(VirtualAddress(0x0000_aaab_1234_5678), in: TableMemory(writer))
    #expect(result.leaf?.physical.rawValue == 0x8_0000_5678)
  }

  /// 4 and 16 KiB pages: the upper levels are left out, and bits 9:8 are shareability again.
  @Test(arguments: [
    (TableWriter.Granule.k4, Granule.fourKiB, 48, 0, 512),
    (.k16, .sixteenKiB, 47, 1, 2048),
  ])
  func smallPagesLeaveLevelsOut(
    _ pages: TableWriter.Granule, _ granule: Granule, _ bits: Int, _ start: Int, _ entries: Int
  ) {
    var writer = TableWriter(pages, .bits48, vaBits: bits)
    let address: UInt64 = 0xffff_c123_4567_8000
    writer.map(address, to: 0x8_0000_0000, attributes: 0x0068_0000_0000_0700)
    let regime = TranslationRegime(
      register: .ttbr1EL1, granule: granule, tableBits: bits, format: .bits48(granule),
      root: PhysicalAddress(writer.root))
    #expect(regime.startLevel == start)
    #expect(regime.rootEntries == entries)
    let leaf = regime.walk(VirtualAddress(address + 0x123), in: TableMemory(writer)).leaf
    #expect(leaf?.physical.rawValue == 0x8_0000_0123)
    #expect(leaf?.attributes.shareability(regime.format) == .inner)
  }
}
