import TestSupport
import Testing
import VMSA

/// What a leaf allows in tables of EL2 alone: bit 54 is XN and bit 60 of tables XNTable; AP[1] is RES1 and
/// bits 53 and 59 are RES0, so that they say nothing. (Arm ARM D8.4)
@Suite struct SingleRangeTests {
  private func attributes(_ bits: UInt64, tables: UInt64 = 0) throws -> Attributes {
    var writer = TableWriter(.k4, .bits48, vaBits: 48)
    writer.map(0x12_3456_7000, to: 0x4567_8000, attributes: bits, tableAttributes: [1: tables])
    let regime = TranslationRegime(
      register: .ttbr0EL2, granule: .fourKiB, tableBits: 48, format: .bits48(.fourKiB),
      root: PhysicalAddress(writer.root))
    let leaf = try #require(regime.walk(VirtualAddress(0x12_3456_7123), in: TableMemory(writer)).leaf)
    #expect(leaf.physical.rawValue == 0x4567_8123)
    return leaf.attributes
  }

  @Test(
    arguments: [
      (0x0000_0000_0000_07c0, 0, false, true), (0x0040_0000_0000_0740, 0, true, false),
      (0x0020_0000_0000_0740, 0, true, true), (0x0000_0000_0000_0740, 1 << 60, true, false),
      (0x0000_0000_0000_0740, 1 << 59, true, true), (0x0000_0000_0000_0740, 1 << 62, false, true),
    ] as [(UInt64, UInt64, Bool, Bool)])
  func rights(bits: UInt64, tables: UInt64, isWritable: Bool, isExecutable: Bool) throws {
    let attributes = try attributes(bits, tables: tables)
    #expect(attributes.isSingleRange)
    #expect(attributes.isWritable == isWritable)
    #expect(attributes.isExecutableEL2 == isExecutable)
    #expect(!attributes.isUser && !attributes.isExecutableEL1 && !attributes.isExecutableEL0)
  }

  @Test("Tables of two ranges give EL2 nothing")
  func twoRanges() {
    let attributes = Attributes(Descriptor(rawValue: 0x743))
    #expect(attributes.isUser && attributes.isExecutableEL0 && !attributes.isExecutableEL2)
  }
}
