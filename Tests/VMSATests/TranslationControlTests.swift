import Testing
import VMSA

/// The fields of TCR_EL1, where Arm's manual draws them. (Arm ARM D19, TCR_EL1)
@Suite struct TranslationControlTests {
  /// The lowest bit and the width of each field.
  static let places: [(TranslationControl.Field, UInt64, UInt64)] = [
    (.t0sz, 0, 6), (.epd0, 7, 1), (.irgn0, 8, 2), (.orgn0, 10, 2), (.sh0, 12, 2), (.tg0, 14, 2), (.t1sz, 16, 6),
    (.a1, 22, 1), (.epd1, 23, 1), (.irgn1, 24, 2), (.orgn1, 26, 2), (.sh1, 28, 2), (.tg1, 30, 2), (.ips, 32, 3),
    (.as16, 36, 1), (.tbi0, 37, 1), (.tbi1, 38, 1), (.ha, 39, 1), (.hd, 40, 1), (.hpd0, 41, 1), (.hpd1, 42, 1),
    (.tbid0, 51, 1), (.tbid1, 52, 1), (.nfd0, 53, 1), (.nfd1, 54, 1), (.e0pd0, 55, 1), (.e0pd1, 56, 1),
    (.tcma0, 57, 1), (.tcma1, 58, 1), (.ds, 59, 1),
  ]

  @Test func eachFieldHasItsBits() {
    #expect(Self.places.map(\.0).count == TranslationControl.Field.allCases.count)
    for (field, shift, width) in Self.places {
      var control = TranslationControl()
      #expect(control[field] == nil)
      let all = (UInt64(1) << width) - 1
      control[field] = all
      #expect(control.value == all << shift, "\(field)")
      #expect(control.known == all << shift, "\(field)")
      #expect(control[field] == all)
      control[field] = nil
      #expect(control[field] == all, "setting nothing changes nothing")
      control[field] = 0
      #expect(control.value == 0 && control.known == all << shift && control[field] == 0)
    }
  }

  @Test("A value that is too large does not reach other fields")
  func overflow() {
    var control = TranslationControl()
    control[.t0sz] = .max
    #expect(control.value == 0x3f)
  }

  @Test("The granules have two encodings")
  func granules() {
    #expect(Granule.allCases.map(\.tg0) == [0b00, 0b10, 0b01])
    #expect(Granule.allCases.map(\.tg1) == [0b10, 0b01, 0b11])
  }
}
