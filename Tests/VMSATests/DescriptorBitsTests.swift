import Testing
import VMSA

/// The bits of a descriptor are where Arm has them. (Arm ARM D8.3.1, figures of the VMSAv8-64 descriptors)
@Suite struct DescriptorBitsTests {
  @Test func eachNameIsAtItsPlace() {
    let places: [(Descriptor.Bits, ClosedRange<Int>)] = [
      (.valid, 0...0), (.table, 1...1), (.attrIndx, 2...4), (.ns, 5...5), (.ap1, 6...6), (.ap2, 7...7), (.sh, 8...9),
      (.af, 10...10), (.nG, 11...11), (.address, 12...49), (.gp, 50...50), (.dbm, 51...51), (.contiguous, 52...52),
      (.pxn, 53...53), (.uxn, 54...54), (.software, 55...58), (.pxnTable, 59...59), (.uxnTable, 60...60),
      (.apTable0, 61...61), (.apTable1, 62...62), (.bit63, 63...63), (.tableRestrictions, 59...63),
    ]
    for (bits, place) in places {
      #expect((0..<64).filter { bits.rawValue >> UInt64($0) & 1 == 1 } == Array(place), "\(place)")
    }
  }

  @Test func aPlainTableHasNoBitThatItsFormatLeavesZero() {
    // Restrictions, AF, and the address: bits 47:12, and 51:48 at 15:12 or 51:50 at 9:8 and 49:48 in place.
    let common = [10] + Array(16...47) + Array(59...63)
    let formats: [(bits: UInt64, allowed: [Int])] = [
      (DescriptorFormat.bits48(.fourKiB).tableBits, common + Array(12...15)),
      (DescriptorFormat.lpa64KiB.tableBits, common + Array(12...15)),
      (DescriptorFormat.lpa2(.fourKiB).tableBits, common + Array(12...15) + [48, 49, 8, 9]),
      (DescriptorFormat.lpa2(.sixteenKiB).tableBits, common + Array(12...15) + [48, 49, 8, 9]),
      (DescriptorFormat.anyTableBits, common + Array(12...15) + [48, 49, 8, 9]),
    ]
    for (bits, allowed) in formats {
      let plain: UInt64 = 0xf800_0000_4321_0403
      #expect(Descriptor(rawValue: plain).isPlainTable(bits))
      for bit in 0..<64 {
        #expect(Descriptor(rawValue: plain ^ 1 << UInt64(bit)).isPlainTable(bits) == allowed.contains(bit), "\(bit)")
      }
    }
  }

  @Test func aDescriptorHasBitsOnlyIfItHasAllOfThem() {
    let descriptor = Descriptor(rawValue: 1 << 54 | 1 << 10 | 1 << 8)
    #expect(descriptor.has([.uxn, .af]))
    #expect(!descriptor.has(.sh))
    #expect(!descriptor.has([.af, .ap1]))
  }
}
