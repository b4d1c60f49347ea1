import TestSupport
import Testing
import VMSA

/// Which half an address belongs to, its tag, and how wide it may be. (Arm ARM D8.2.4, D8.8)
@Suite struct HalvesTests {
  @Test func bit55ChoosesTheHalf() {
    for bit in 0..<64 {
      #expect(VirtualAddress(1 << UInt64(bit)).isUpperHalf == (bit == 55), "bit \(bit) alone")
      #expect(VirtualAddress(~(1 << UInt64(bit))).isUpperHalf == (bit != 55), "all but bit \(bit)")
    }
  }

  @Test func tagsAreTheTopByteWhereItIsNoSignExtension() {
    let examples: [(UInt64, untagged: UInt64, tag: UInt8?)] = [
      (0xffff_8000_1234_5678, 0xffff_8000_1234_5678, nil),
      (0xf4ff_8000_1234_5678, 0xffff_8000_1234_5678, 0xf4),
      (0x00ff_8000_1234_5678, 0xffff_8000_1234_5678, 0x00),
      (0xfef0_0000_0000_0000, 0xfff0_0000_0000_0000, 0xfe),
      (0x0000_7fff_1234_5678, 0x0000_7fff_1234_5678, nil),
      (0x3c00_7fff_1234_5678, 0x0000_7fff_1234_5678, 0x3c),
      (0xff0f_ffff_ffff_ffff, 0x000f_ffff_ffff_ffff, 0xff),
      (0, 0, nil),
      (.max, .max, nil),
      (0x0080_0000_0000_0000, 0xff80_0000_0000_0000, 0x00),
      (0xff7f_ffff_ffff_ffff, 0x007f_ffff_ffff_ffff, 0xff),
    ]
    for (address, untagged, tag) in examples {
      #expect(VirtualAddress(address).untagged.rawValue == untagged, "\(hex(address))")
      #expect(VirtualAddress(address).tag == tag, "\(hex(address))")
    }
  }

  struct Width: CustomTestStringConvertible, Sendable {
    let bits: Int
    let granule: Granule
    let format: DescriptorFormat
    /// The last address of the lower half and the first of the upper one.
    let lowerLast: UInt64
    let upperFirst: UInt64
    var testDescription: String { "\(bits)" }
  }

  static let widths = [
    Width(
      bits: 36, granule: .sixteenKiB, format: .bits48(.sixteenKiB), lowerLast: 0x0000_000f_ffff_ffff,
      upperFirst: 0xffff_fff0_0000_0000),
    Width(
      bits: 39, granule: .fourKiB, format: .bits48(.fourKiB), lowerLast: 0x0000_007f_ffff_ffff,
      upperFirst: 0xffff_ff80_0000_0000),
    Width(
      bits: 42, granule: .sixtyFourKiB, format: .bits48(.sixtyFourKiB), lowerLast: 0x0000_03ff_ffff_ffff,
      upperFirst: 0xffff_fc00_0000_0000),
    Width(
      bits: 47, granule: .sixteenKiB, format: .bits48(.sixteenKiB), lowerLast: 0x0000_7fff_ffff_ffff,
      upperFirst: 0xffff_8000_0000_0000),
    Width(
      bits: 48, granule: .fourKiB, format: .bits48(.fourKiB), lowerLast: 0x0000_ffff_ffff_ffff,
      upperFirst: 0xffff_0000_0000_0000),
    Width(
      bits: 52, granule: .sixtyFourKiB, format: .lpa64KiB, lowerLast: 0x000f_ffff_ffff_ffff,
      upperFirst: 0xfff0_0000_0000_0000),
  ]

  @Test(arguments: widths)
  func eachHalfEndsWhereItsWidthSays(_ width: Width) {
    let inside = [0, 1, width.lowerLast, width.upperFirst, width.upperFirst + 1, UInt64.max]
    let beyond = [
      width.lowerLast + 1, width.upperFirst - 1, 0x00ff_ffff_ffff_ffff, 0xff00_0000_0000_0000, 1 << 63,
      0x7fff_ffff_ffff_ffff, 1 << 55, ~(1 << 55), ~(1 << UInt64(width.bits)), 1 << UInt64(width.bits),
    ]
    for address in inside {
      #expect(VirtualAddress(address).isCanonical(bits: width.bits), "\(hex(address))")
    }
    for address in beyond {
      #expect(!VirtualAddress(address).isCanonical(bits: width.bits), "\(hex(address))")
    }
  }

  /// No table exists: whatever is walked ends in a missing table, and what is refused does not.
  @Test(arguments: widths)
  func walkTakesOnlyTheHalfOfItsRegister(_ width: Width) {
    let nothing = TableMemory(TableWriter(.k4, .bits48, vaBits: 39, root: 0x1000))
    func isWalked(_ address: UInt64, _ register: TranslationRegime.Register) -> Bool {
      let regime = TranslationRegime(
        register: register, granule: width.granule, tableBits: width.bits, format: width.format,
        root: PhysicalAddress(0x4000_0000))
      switch regime.walk(VirtualAddress(address), in: nothing) {
      case .tableMissing: return true
      case .notCanonical: return false
      case let other:
        Issue.record("\(hex(address)) was neither walked nor refused: \(other)")
        return false
      }
    }
    for upper in [width.upperFirst, UInt64.max] {
      #expect(isWalked(upper, .ttbr1EL1))
      #expect(!isWalked(upper, .ttbr0EL1))
      #expect(!isWalked(upper, .ttbr0EL2))
    }
    for lower in [0, width.lowerLast] {
      #expect(!isWalked(lower, .ttbr1EL1))
      #expect(isWalked(lower, .ttbr0EL1))
      #expect(isWalked(lower, .ttbr0EL2))
    }
    for beyond in [width.lowerLast + 1, width.upperFirst - 1] {
      for register in [TranslationRegime.Register.ttbr1EL1, .ttbr0EL1, .ttbr0EL2] {
        #expect(!isWalked(beyond, register), "\(hex(beyond))")
      }
    }
  }

  @Test func tagMustBeTakenAwayBeforeTheWalk() {
    let shape = Shape.all[0]
    var writer = shape.writer()
    writer.map(shape.address, to: 0x77_0000)
    let regime = shape.regime(root: writer.root)
    let tagged = VirtualAddress(shape.address & 0x00ff_ffff_ffff_ffff | 0xf300_0000_0000_0000)
    #expect(regime.walk(tagged, in: TableMemory(writer)) == .notCanonical)
    #expect(regime.walk(tagged.untagged, in: TableMemory(writer)).leaf != nil)
  }
}
