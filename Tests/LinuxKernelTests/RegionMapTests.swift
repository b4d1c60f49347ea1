import KernelVA
import Testing

@testable import LinuxKernel

/// The kernel's half cut into pieces, against the tables of Documentation/arch/arm64/memory.rst.
@Suite struct RegionMapTests {
  private func layout(_ since: KernelVersion, _ configuration: LayoutConfiguration) throws -> AddressLayout {
    try AddressLayout(era: #require(LayoutEra.all.first { $0.since == since }), configuration)
  }

  private func text(_ map: RegionMap) -> [String] {
    map.pieces.map {
      "\(String($0.first, radix: 16))-\(String($0.last, radix: 16)) \($0.region?.rawValue ?? "unknown")"
    }
  }

  /// 5.17 to 6.4, 4 KiB pages, 48 bits.
  private static let v61 = [
    "ffff000000000000-ffff7fffffffffff linear map", "ffff800000000000-ffff800007ffffff modules",
    "ffff800008000000-fffffbffefffffff vmalloc", "fffffbfff0000000-fffffbfffdffffff fixmap",
    "fffffbfffe000000-fffffbfffe7fffff guard", "fffffbfffe800000-fffffbffff7fffff pci io",
    "fffffbffff800000-fffffbffffffffff guard", "fffffc0000000000-fffffdffffffffff vmemmap",
    "fffffe0000000000-ffffffffffffffff guard",
  ]

  @Test("The pieces are the lines of the kernel's table, one after another to the end of the space")
  func pieces() throws {
    let layout = try layout(KernelVersion(5, 17), LayoutConfiguration(granule: .fourKiB, vaBits: 48))
    #expect(text(RegionMap(layout, image: nil, first: 0xffff_0000_0000_0000)) == Self.v61)
  }

  @Test("The image, and modules in vmalloc space, are pieces of their own")
  func imageAndModules() throws {
    let layout = try layout(KernelVersion(5, 17), LayoutConfiguration(granule: .fourKiB, vaBits: 48))
    let image: ClosedRange<UInt64> = 0xffff_a000_0801_0000...0xffff_a000_09ff_ffff
    let modules: [Range<UInt64>] = [
      0xffff_a000_0700_0000..<0xffff_a000_0701_0000,
      // One in the image's part of the space, one that ends where another begins, one in the modules' own region.
      0xffff_a000_0701_0000..<0xffff_a000_0702_0000, 0xffff_8000_0100_0000..<0xffff_8000_0101_0000,
    ]
    let map = RegionMap(layout, image: image, modules: modules, first: 0xffff_0000_0000_0000)
    #expect(
      text(map) == [
        Self.v61[0], "ffff800000000000-ffff800000ffffff modules", "ffff800001000000-ffff80000100ffff modules",
        "ffff800001010000-ffff800007ffffff modules", "ffff800008000000-ffffa00006ffffff vmalloc",
        "ffffa00007000000-ffffa0000700ffff modules", "ffffa00007010000-ffffa0000701ffff modules",
        "ffffa00007020000-ffffa0000800ffff vmalloc", "ffffa00008010000-ffffa00009ffffff kernel image",
        "ffffa0000a000000-fffffbffefffffff vmalloc",
      ] + Self.v61.dropFirst(3))
  }

  @Test("KASAN's shadow is a piece: above the modules' start before 5.4, between the halves, in the linear map")
  func shadow() throws {
    func pieces(_ since: KernelVersion) throws -> [String] {
      let layout = try layout(since, LayoutConfiguration(granule: .fourKiB, vaBits: 48, kasan: .generic))
      return Array(text(RegionMap(layout, image: nil, first: 0xffff_0000_0000_0000)).prefix(3))
    }
    #expect(
      try pieces(KernelVersion(4, 6)) == [
        "ffff000000000000-ffff1fffffffffff kasan shadow", "ffff200000000000-ffff200007ffffff modules",
        "ffff200008000000-ffff7dffbffeffff vmalloc",
      ])
    #expect(
      try pieces(KernelVersion(5, 4)) == [
        "ffff000000000000-ffff7fffffffffff linear map", "ffff800000000000-ffff9fffffffffff kasan shadow",
        "ffffa00000000000-ffffa00007ffffff bpf jit",
      ])
    #expect(
      try pieces(KernelVersion(6, 9)) == [
        "ffff000000000000-ffff5fffffffffff linear map", "ffff600000000000-ffff7fffffffffff kasan shadow",
        "ffff800000000000-ffff80007fffffff modules",
      ])
  }

  @Test("52 bits on hardware of 48: it begins where the hardware does, and vmalloc has the unused part of vmemmap")
  func fallback() throws {
    let layout = try layout(
      KernelVersion(6, 9), LayoutConfiguration(granule: .fourKiB, vaBits: 52, vaBitsActual: 48))
    let map = RegionMap(layout, image: nil, first: 0xffff_0000_0000_0000)
    #expect(text(map).first == "ffff000000000000-ffff7fffffffffff linear map")
    // VMEMMAP_START is ffffc1ffc0000000, VMALLOC_END fffffdffbf800000.
    for (address, region) in [
      (0xffff_c1ff_bfff_ffff, .vmalloc), (0xffff_c1ff_c000_0000, .vmalloc), (0xffff_fdff_bf7f_ffff, .vmalloc),
      (0xffff_fdff_c000_0000, .vmemmap), (0xffff_ffff_bfff_ffff, .vmemmap), (0xffff_ffff_c000_0000, .guardRegion),
      (0xffff_ffff_c080_0000, .pciIO), (0xffff_ffff_ff7f_ffff, .fixmap), (0xffff_ffff_ff80_0000, .guardRegion),
    ] as [(UInt64, Region)] {
      #expect(map.piece(at: address).region == region, "\(String(address, radix: 16))")
    }
  }

  @Test("The piece at an address: the first and the last byte of each, and none below the first")
  func lookup() throws {
    let layout = try layout(KernelVersion(5, 17), LayoutConfiguration(granule: .fourKiB, vaBits: 48))
    let image: ClosedRange<UInt64> = 0xffff_8000_0800_0000...0xffff_8000_09ff_ffff
    let map = RegionMap(layout, image: image, first: 0xffff_0000_0000_0000)
    #expect(map.pieces.count == Self.v61.count + 1)
    for piece in map.pieces {
      for address in [piece.first, piece.first + (piece.last - piece.first) / 2, piece.last] {
        #expect(map.piece(at: address) == piece)
        #expect(piece.contains(address))
      }
      #expect(!piece.contains(piece.first &- 1) && !piece.contains(piece.last &+ 1))
    }
    #expect(map.piece(at: 0xfffe_ffff_ffff_ffff).region == nil)
    #expect(map.piece(at: 0).region == nil)
  }

  @Test("Without a layout only the image has a name")
  func unknown() {
    let map = RegionMap(
      nil, image: 0xffff_8000_0800_0000...0xffff_8000_09ff_ffff, first: 0xffff_0000_0000_0000)
    #expect(
      text(map) == [
        "ffff000000000000-ffff800007ffffff unknown", "ffff800008000000-ffff800009ffffff kernel image",
        "ffff80000a000000-ffffffffffffffff unknown",
      ])
    // An image up to the last address has nothing behind it.
    let last = RegionMap(nil, image: 0xffff_ffff_ff00_0000...(.max), first: 0xffff_0000_0000_0000)
    #expect(
      text(last) == ["ffff000000000000-fffffffffeffffff unknown", "ffffffffff000000-ffffffffffffffff kernel image"])
  }
}
