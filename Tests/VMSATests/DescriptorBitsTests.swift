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
    let ignored = Array(2...9) + [11] + Array(50...58)
    #expect((0..<64).filter { Descriptor.Bits.ignoredInTable.rawValue >> UInt64($0) & 1 == 1 } == ignored)
  }

  @Test func aPlainTableHasNoneOfTheIgnoredBits() {
    let plain: UInt64 = 0xf800_0000_4321_0403  // all restrictions and AF
    #expect(Descriptor(rawValue: plain).isPlainTable)
    for bit in Array(0...9) + [11] + Array(50...58) {
      #expect(!Descriptor(rawValue: plain ^ 1 << UInt64(bit)).isPlainTable, "\(bit)")
    }
    for bit in [10] + Array(12...49) + Array(59...63) {
      #expect(Descriptor(rawValue: plain ^ 1 << UInt64(bit)).isPlainTable, "\(bit)")
    }
  }

  @Test func aDescriptorHasBitsOnlyIfItHasAllOfThem() {
    let descriptor = Descriptor(rawValue: 1 << 54 | 1 << 10 | 1 << 8)
    #expect(descriptor.has([.uxn, .af]))
    #expect(!descriptor.has(.sh))
    #expect(!descriptor.has([.af, .ap1]))
  }
}
