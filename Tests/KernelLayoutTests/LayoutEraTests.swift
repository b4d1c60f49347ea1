import Testing
import VMSA

@testable import KernelLayout

/// An era is one value: what makes it one, for an era that no kernel has.
@Suite struct LayoutEraTests {
  /// Modules of 4 GiB at the bottom of the upper half, vmalloc up to 8 TiB below the end, and all else at the top.
  static let madeUp = LayoutEra(
    since: KernelVersion(99, 0), name: "99.0 and later", linearMap: .lower, kasanMovesImage: false
  ) { configuration in
    let vmemmap = AddressLayout.Span(0xffff_f800_0000_0000, 0xffff_fc00_0000_0000)
    let top = AddressLayout.Top(
      vmallocEnd: 0xffff_f7ff_0000_0000, vmemmap: vmemmap,
      fixmap: AddressLayout.Span(0xffff_fd00_0000_0000, 0xffff_fd00_0100_0000),
      pciIO: AddressLayout.Span(0xffff_fe00_0000_0000, 0xffff_fe00_0100_0000))
    return AddressLayout(.shadowInsideLinearMap(configuration), modules: 4 << 30, top)
  }

  @Test func madeUpEraIsOneRow() {
    let configuration = LayoutConfiguration(granule: .fourKiB, vaBits: 48)
    let layout = AddressLayout(era: Self.madeUp, configuration)
    #expect(layout.linearMap == AddressLayout.Span(0xffff_0000_0000_0000, 0xffff_8000_0000_0000))
    #expect(layout.modules == AddressLayout.Span(0xffff_8000_0000_0000, 0xffff_8001_0000_0000))
    #expect(layout.vmalloc == AddressLayout.Span(0xffff_8001_0000_0000, 0xffff_f7ff_0000_0000))
    #expect(layout.bpfJIT == nil)
    #expect(layout.region(of: 0xffff_fd00_0000_1234) == .fixmap)
    #expect(
      layout.rows(userBits: 48).map(\.region) == [
        .user, .linearMap, .modules, .vmalloc, .guardRegion, .vmemmap, .guardRegion, .fixmap, .guardRegion, .pciIO,
        .guardRegion,
      ])
    // 2^45 bytes of shadow for 48 bits.
    let shadow = AddressLayout.Span(0xffff_6000_0000_0000, 0xffff_8000_0000_0000)
    #expect(Self.madeUp.optionalShadow(configuration) == shadow)
    #expect(Self.madeUp.allows(LayoutConfiguration(granule: .sixteenKiB, vaBits: 52, vaBitsActual: 47)))
    #expect(!LayoutEra.all.contains(Self.madeUp))
  }

  @Test func erasAreInOrder() {
    for (newer, older) in zip(LayoutEra.all, LayoutEra.all.dropFirst()) { #expect(older.since < newer.since) }
    #expect(LayoutEra.of(KernelVersion(4, 5)) == nil)
    #expect(LayoutEra.of(KernelVersion(5, 16))?.since == KernelVersion(5, 11))
    #expect(LayoutEra.of(KernelVersion(7, 3))?.since == KernelVersion(6, 9))
  }

  /// Detection tries no place of the image with KASAN where it could not tell one from another.
  @Test(arguments: LayoutEra.all)
  func kasanMovesTheImageOrNot(_ era: LayoutEra) {
    let plain = AddressLayout(era: era, LayoutConfiguration(granule: .fourKiB, vaBits: 48))
    let shadowed = AddressLayout(era: era, LayoutConfiguration(granule: .fourKiB, vaBits: 48, kasan: .generic))
    #expect((plain.vmalloc.start != shadowed.vmalloc.start) == era.kasanMovesImage)
    #expect((plain.linearMap.start < plain.vmalloc.start) == (era.linearMap == .lower))
  }
}

/// Versions against the table of changes.
@Suite struct KernelChangeTests {
  @Test(arguments: [
    ("5.9.16", false), ("5.10.0-30-arm64", true), ("5.10", true), ("6.1", true), ("4.20.17", false),
  ])
  func memstart(_ release: String, _ has: Bool) throws {
    #expect(try #require(KernelVersion(release: release)).has(.memstartDescribesLinearMap) == has)
  }

  @Test("A version counts as a number, not as text")
  func tenIsMoreThanNine() {
    #expect(KernelVersion(5, 10).has(.listingShowsHoles))
    #expect(!KernelVersion(5, 9).has(.reservedTable))
    #expect(KernelVersion(10, 0).has(.presentInvalidEntries))
  }

  @Test(arguments: ["", "x", "5", "5.", "5.x", ".10", "linux-5.10"])
  func notReleases(_ text: String) {
    #expect(KernelVersion(release: text) == nil)
  }
}
