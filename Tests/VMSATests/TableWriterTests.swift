import TestSupport
import Testing

/// The writer itself, against entries and places written out in full: nothing else checks the checker.
@Suite struct TableWriterTests {
  @Test func addressesStandWhereArmDrawsThem() {
    let plain = TableWriter(.k4, .bits48, vaBits: 48)
    #expect(plain.address(0xffff_ffff_f000) == 0xffff_ffff_f000)
    let lpa = TableWriter(.k64, .lpa, vaBits: 52)
    #expect(lpa.address(0xf_0000_0001_0000) == 0x1_f000)
    #expect(lpa.address(0x9_8765_4321_0000) == 0x8765_4321_9000)
    let lpa2 = TableWriter(.k4, .lpa2, vaBits: 52)
    #expect(lpa2.address(0xf_ffff_ffff_f000) == 0x3_ffff_ffff_f300)
    #expect(lpa2.address(0x4_0000_0000_1000) == 0x1100)
  }

  @Test func pageIsReachedThroughItsTables() {
    var writer = TableWriter(.k4, .bits48, vaBits: 48, root: 0x4100_0000, firstTable: 0x4200_0000)
    let path = writer.map(
      0xffff_8000_0a1c_2000, to: 0x4567_8000, attributes: 0x0068_0000_0000_0700,
      tableAttributes: [0: 1 << 60])
    #expect(
      path == [
        TableWriter.Entry(level: 0, index: 256, address: 0x4100_0800, value: 0x1000_0000_4200_0003),
        TableWriter.Entry(level: 1, index: 0, address: 0x4200_0000, value: 0x4200_1003),
        TableWriter.Entry(level: 2, index: 80, address: 0x4200_1280, value: 0x4200_2003),
        TableWriter.Entry(level: 3, index: 450, address: 0x4200_2e10, value: 0x0068_0000_4567_8703),
      ])
    // A neighbour shares the tables; a block needs fewer.
    let neighbour = writer.map(0xffff_8000_0a1c_3000, to: 0x4567_9000)
    #expect(neighbour.dropLast() == path.dropLast())
    let block = writer.map(0xffff_8000_0a20_0000, to: 0x4580_0000, level: 2)
    #expect(block.last == TableWriter.Entry(level: 2, index: 81, address: 0x4200_1288, value: 0x4580_0001))
    #expect(writer.tables.count == 4)
  }

  @Test func pagesHoldTheWordsInLittleEndian() {
    var writer = TableWriter(.k16, .bits48, vaBits: 48, root: 0x4100_0000)
    writer.map(0xffff_8000_0000_0000, to: 0x0102_0304_0000, level: 2)
    #expect(writer.rootLevel == 0)
    #expect(writer.rootEntries == 2)
    #expect(writer.pages.count == 9)
    #expect(writer.pages.allSatisfy { $0.bytes.count == 4096 })
    #expect(writer.pages.map(\.address) == writer.pages.map(\.address).sorted())
    let leaf = writer.pages.first { $0.bytes.starts(with: [0x01, 0x00, 0x04, 0x03, 0x02, 0x01, 0x00, 0x00]) }
    #expect(leaf != nil)
  }
}
