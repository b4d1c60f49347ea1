import Testing
import VMSA

@testable import KernelLayout
@testable import LinuxKernel

/// KASAN's shadow where nothing but the tables shows it, and they map only the shadow of what exists.
@Suite struct KASANLayoutTests {
  /// A kernel and the shadow that arch/arm64 gives it: KASAN_SHADOW_START to KASAN_SHADOW_END, by hand from
  /// KASAN_SHADOW_OFFSET of arch/arm64/Kconfig.
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let release: String
    let granule: Granule
    let bits: Int
    let actual: Int
    /// KASAN_SHADOW_OFFSET and KASAN_SHADOW_SCALE_SHIFT.
    let offset: UInt64
    let scale: UInt64
    let start: UInt64
    let end: UInt64
    /// PAGE_OFFSET of RAM's first byte, and where the image lies.
    let linear: UInt64
    let image: UInt64
  }

  static let cases = [
    Case(
      testDescription: "generic, 39 bits", release: "5.11.0", granule: .fourKiB, bits: 39, actual: 39,
      offset: 0xdfff_ffc0_0000_0000, scale: 3, start: 0xffff_ffb0_0000_0000, end: 0xffff_ffc0_0000_0000,
      linear: 0xffff_ff88_0000_0000, image: 0xffff_ffc0_1000_0000),
    Case(
      testDescription: "software tags, 48 bits", release: "6.1.0", granule: .fourKiB, bits: 48, actual: 48,
      offset: 0xefff_8000_0000_0000, scale: 4, start: 0xffff_7000_0000_0000, end: 0xffff_8000_0000_0000,
      linear: 0xffff_0000_0000_0000, image: 0xffff_8000_0800_0000),
    Case(
      testDescription: "generic, 64 KiB pages, 52 bits on 48", release: "6.6.0", granule: .sixtyFourKiB, bits: 52,
      actual: 48, offset: 0xdfff_8000_0000_0000, scale: 3, start: 0xffff_6000_0000_0000, end: 0xffff_8000_0000_0000,
      linear: 0xffff_0000_4000_0000, image: 0xffff_8000_8000_0000),
    Case(
      testDescription: "generic, 16 KiB pages, 52 bits", release: "6.12.0", granule: .sixteenKiB, bits: 52, actual: 52,
      offset: 0xdfff_c000_0000_0000, scale: 3, start: 0xfffd_c000_0000_0000, end: 0xffff_c000_0000_0000,
      linear: 0xfff0_0000_0000_0000, image: 0xffff_c000_8000_0000),
    Case(
      testDescription: "software tags, 52 bits", release: "7.2.0", granule: .fourKiB, bits: 52, actual: 52,
      offset: 0xefff_8000_0000_0000, scale: 4, start: 0xfffe_8000_0000_0000,
      end: 0xffff_8000_0000_0000, linear: 0xfff0_0000_0000_0000, image: 0xffff_8000_8000_0000),
  ]

  /// A kernel whose tables map 64 MiB of linear map, 16 MiB of image, and the shadow of both, if it has one.
  static func detect(_ one: Case, hasShadow: Bool) -> DetectedLayout {
    let root: UInt64 = 0x4100_0000
    let linear = one.linear &- 0x4000_0000
    let image = one.image &- 0x4080_0000
    let bottom = AddressLayout.bottom(one.bits)
    let facts = KernelFacts(
      granule: Sourced(one.granule, ""), vaBits: Sourced(one.bits, ""), vaBitsActual: Sourced(one.actual, ""),
      physicalBits: nil, kaslrOffset: nil, kimageVoffset: Sourced(image, ""), physOffset: Sourced(bottom &- linear, ""),
      swapperVirtual: Sourced(VirtualAddress(root &+ image), ""), swapperPhysical: Sourced(PhysicalAddress(root), ""),
      release: Sourced(one.release, ""), buildID: nil, crashTime: nil)
    return DetectedLayout(facts, nil) { address in
      if address &- one.linear < 64 << 20 { return PhysicalAddress(address &- linear) }
      if address &- one.image < 16 << 20 { return PhysicalAddress(address &- image) }
      guard hasShadow else { return nil }
      for (start, size) in [(one.linear, UInt64(64 << 20)), (one.image, 16 << 20)] {
        let shadow = start >> one.scale &+ one.offset
        if address &- shadow < size >> one.scale { return PhysicalAddress(0x4300_0000 &+ (address &- shadow)) }
      }
      return nil
    }
  }

  @Test("The shadow of what is mapped shows its mode and its bounds", arguments: cases)
  func found(_ one: Case) throws {
    let layout = Self.detect(one, hasShadow: true)
    #expect(layout.configuration.kasan == (one.scale == 3 ? .generic : .softwareTags))
    #expect(layout.layout?.kasanShadow == AddressLayout.Span(one.start, one.end))
    #expect(layout.layout?.linearMap.end == one.start)
    let shadow = try #require(layout.kasanShadow)
    #expect(shadow.offset == one.offset)
    #expect(shadow.shadow(of: one.image) == one.image >> one.scale &+ one.offset)
    let granule = shadow.addresses(shadowedAt: shadow.shadow(of: one.image + 21))
    #expect(granule == one.image + 16...one.image + (one.scale == 3 ? 23 : 31))
    #expect(shadow.addresses(shadowedAt: one.offset &- 1) == nil)
  }

  @Test("Without a shadow there is none", arguments: cases)
  func none(_ one: Case) {
    let layout = Self.detect(one, hasShadow: false)
    #expect(layout.configuration.kasan == .off)
    #expect(layout.layout?.linearMap.end == one.end)
    #expect(layout.kasanShadow == nil)
  }
}
