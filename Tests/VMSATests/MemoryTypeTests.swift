import Testing
import VMSA

/// MAIR_EL1 as real kernels set it.
@Suite struct MemoryTypeTests {
  static let kernels: [(UInt64, [MemoryType])] = [
    // 4.19 to 5.4
    (
      0x0000_bbff_440c_0400,
      [
        .deviceNGnRnE, .deviceNGnRE, .deviceGRE, .normalNonCacheable, .normal, .normalWriteThrough,
        .deviceNGnRnE, .deviceNGnRnE,
      ]
    ),
    // 5.10 and 5.11, without MTE
    (
      0x000c_0400_bb44_ffff,
      [
        .normal, .normal, .normalNonCacheable, .normalWriteThrough, .deviceNGnRnE, .deviceNGnRE, .deviceGRE,
        .deviceNGnRnE,
      ]
    ),
    // 6.1 to 6.12, without and with MTE
    (
      0x0000_0004_0044_ffff,
      [
        .normal, .normal, .normalNonCacheable, .deviceNGnRnE, .deviceNGnRE, .deviceNGnRnE, .deviceNGnRnE,
        .deviceNGnRnE,
      ]
    ),
    (
      0x0000_0004_0044_f0ff,
      [
        .normal, .normalTagged, .normalNonCacheable, .deviceNGnRnE, .deviceNGnRE, .deviceNGnRnE,
        .deviceNGnRnE, .deviceNGnRnE,
      ]
    ),
  ]

  @Test(arguments: kernels)
  func eachIndexHasItsType(_ mair: UInt64, _ types: [MemoryType]) {
    let register = MemoryAttributeIndirection(rawValue: mair)
    #expect((0..<8).map(register.memoryType) == types)
  }

  @Test func indexChoosesItsByte() {
    let register = MemoryAttributeIndirection(rawValue: 0x8877_6655_4433_2211)
    #expect((0..<8).map(register.attribute) == [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88])
  }

  @Test func everyByteIsATypeOrOther() {
    let known: [UInt8: MemoryType] = [
      0xff: .normal, 0xf0: .normalTagged, 0x44: .normalNonCacheable, 0xbb: .normalWriteThrough,
      0x00: .deviceNGnRnE, 0x04: .deviceNGnRE, 0x08: .deviceNGRE, 0x0c: .deviceGRE,
    ]
    for byte in UInt8.min...UInt8.max {
      let type = MemoryType(attribute: byte)
      #expect(type == known[byte] ?? .other, "\(byte)")
      #expect(type.isDevice == [0x00, 0x04, 0x08, 0x0c].contains(byte))
    }
  }
}
