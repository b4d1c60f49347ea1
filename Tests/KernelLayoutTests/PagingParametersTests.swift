import KernelLayout
import Testing
import VMSA

/// Widths, shapes and formats, as the kernel's Kconfig and headers have them.
@Suite struct PagingParametersTests {
  @Test func widths() {
    #expect(PagingParameters.widths == [36, 39, 42, 47, 48, 52])
    #expect(Set(PagingParameters.widths(of: .fourKiB)) == [39, 48, 52])
    #expect(Set(PagingParameters.widths(of: .sixteenKiB)) == [36, 47, 48, 52])
    #expect(Set(PagingParameters.widths(of: .sixtyFourKiB)) == [42, 48, 52])
  }

  /// Page size, VA_BITS, vabits_actual, VA_BITS_MIN and the shape of the tables that `swapper_pg_dir` begins.
  @Test(arguments: [
    (Granule.fourKiB, 39, 39, 39, 39), (.fourKiB, 48, 48, 48, 48), (.fourKiB, 52, 52, 48, 52),
    (.fourKiB, 52, 48, 48, 48), (.sixteenKiB, 36, 36, 36, 36), (.sixteenKiB, 48, 48, 48, 48),
    (.sixteenKiB, 52, 52, 47, 52), (.sixteenKiB, 52, 47, 47, 47), (.sixtyFourKiB, 42, 42, 42, 42),
    (.sixtyFourKiB, 52, 52, 48, 52), (.sixtyFourKiB, 52, 48, 48, 52),
  ])
  func kernels(_ granule: Granule, _ bits: Int, _ actual: Int, _ least: Int, _ table: Int) {
    let paging = PagingParameters(granule: granule, vaBits: bits, vaBitsActual: actual)
    #expect(paging.vaBitsMin == least)
    #expect(paging.tableBits == table)
    #expect(paging.tableShapes.first == table)
    #expect(paging.tableShapes.allSatisfy { $0 >= actual })
  }

  @Test("64 KiB kernels of 5.0 to 5.3 with 52-bit user space say 48 and have the 52-bit shape")
  func widerUser() {
    let paging = PagingParameters(granule: .sixtyFourKiB, vaBits: 48)
    #expect(paging.tableShapes == [48, 52])
    #expect(paging.userBits(vabitsUser: 52, tableBits: 52) == 52)
    #expect(paging.userBits(vabitsUser: 48, tableBits: 52) == 48)
    #expect(paging.userBits(vabitsUser: nil, tableBits: 48) == 48)
    #expect(paging.userBits(vabitsUser: nil, tableBits: 52) == 52)
    // No other kernel has the variable; whatever has its name says nothing.
    #expect(PagingParameters(granule: .fourKiB, vaBits: 48).userBits(vabitsUser: 52, tableBits: 52) == 48)
    #expect(PagingParameters(granule: .sixtyFourKiB, vaBits: 42).userBits(vabitsUser: 52, tableBits: 52) == 42)
  }

  @Test func formats() {
    #expect(PagingParameters.format(.fourKiB, addressBits: 48) == .bits48(.fourKiB))
    #expect(PagingParameters.format(.fourKiB, addressBits: 52) == .lpa2(.fourKiB))
    #expect(PagingParameters.format(.sixteenKiB, addressBits: 47) == .bits48(.sixteenKiB))
    #expect(PagingParameters.format(.sixteenKiB, addressBits: 52) == .lpa2(.sixteenKiB))
    #expect(PagingParameters.format(.sixtyFourKiB, addressBits: 48) == .lpa64KiB)
  }

  @Test("The root of 64 KiB pages and 52 bits: 48 bits reach its last 64 entries")
  func beyond48() {
    let regime = TranslationRegime.kernel(
      .sixtyFourKiB, tableBits: 52, addressBits: 48, physicalBits: nil, root: PhysicalAddress(0))
    #expect(regime.rootEntries == 1024)
    // The entry of the lowest address of 48 bits.
    #expect(0xffff_0000_0000_0000 as UInt64 >> 42 & 1023 == UInt64(PagingParameters.rootEntriesBeyond48Bits))
  }
}
