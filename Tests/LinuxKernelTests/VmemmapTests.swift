import Testing
import VMSA

@testable import KernelLayout
@testable import LinuxKernel

/// The array of `struct page`, worked by hand for kernels on which PHYS_OFFSET alone does not place it.
@Suite struct VmemmapTests {
  static func layout(
    _ release: String, _ granule: Granule, _ bits: Int, _ actual: Int, physOffset: UInt64
  ) -> (KernelFacts, DetectedLayout) {
    let facts = KernelFacts(
      granule: Sourced(granule, ""), vaBits: Sourced(bits, ""), vaBitsActual: Sourced(actual, ""), physicalBits: nil,
      kaslrOffset: nil, kimageVoffset: nil, physOffset: Sourced(physOffset, ""), swapperVirtual: nil,
      swapperPhysical: Sourced(PhysicalAddress(0), ""), release: Sourced(release, ""), buildID: nil, crashTime: nil)
    return (facts, DetectedLayout(facts, nil) { _ in nil })
  }

  /// 4 KiB pages, 39 bits: the linear map has 0x40000000 at PAGE_OFFSET, which PHYS_OFFSET, 0xfffffff780000000, does
  /// not say; physvirt_offset is 0x8040000000. VMEMMAP_START is 0xfffffffeffe00000.
  @Test("5.4: the first page of RAM is described at VMEMMAP_START, whatever PHYS_OFFSET is")
  func detached() throws {
    let (facts, layout) = Self.layout("5.4.0", .fourKiB, 39, 39, physOffset: 0xffff_fff7_8000_0000)
    #expect(LinearMap.isDetached(layout, facts))
    let vmemmap = try #require(Vmemmap(layout, nil, linearOffset: 0 &- 0x80_4000_0000))
    #expect(vmemmap.page(of: 0x40000) == 0xffff_fffe_ffe0_0000)
    #expect(vmemmap.frame(of: 0xffff_fffe_ffe0_0040) == 0x40001)
    #expect(vmemmap.frame(of: 0xffff_fffe_ffe0_0079) == 0x40001)
  }

  /// 64 KiB pages, 52 bits on hardware with 48: VMEMMAP_START is 0xfffffc1fffe00000, but the first page of RAM, which
  /// the linear map has at the lowest address of 48 bits, is described at 0xffffffdfffe00000.
  @Test("5.4 of 52 bits on 48: the variable vmemmap moves, VMEMMAP_START does not")
  func fallback() throws {
    let (_, layout) = Self.layout("5.4.0", .sixtyFourKiB, 52, 48, physOffset: 0x4000_0000)
    let vmemmap = try #require(
      Vmemmap(layout, nil, linearOffset: 0xffff_0000_0000_0000 &- 0x4000_0000))
    #expect(layout.layout?.vmemmap.start == 0xffff_fc1f_ffe0_0000)
    #expect(vmemmap.page(of: 0x4000) == 0xffff_ffdf_ffe0_0000)
  }

  /// 5.11 gets the same through memstart_addr: PHYS_OFFSET is 0xfff1000040000000 for RAM at 1 GiB.
  @Test("5.11 of 52 bits on 48: PHYS_OFFSET is negative")
  func negative() throws {
    let (facts, layout) = Self.layout("5.11.0", .sixtyFourKiB, 52, 48, physOffset: 0xfff1_0000_4000_0000)
    #expect(!LinearMap.isDetached(layout, facts))
    let start = try #require(layout.layout?.linearMap.start)
    let vmemmap = try #require(Vmemmap(layout, nil, linearOffset: start &- 0xfff1_0000_4000_0000))
    // (0xffff000000000000 - 0xfff0000000000000) >> 16 pages of 64 bytes above VMEMMAP_START, 0xfffffc0000000000.
    #expect(vmemmap.page(of: 0x4000) == 0xffff_ffc0_0000_0000)
  }

  @Test("What VMCOREINFO says comes first")
  func symbol() throws {
    let (_, layout) = Self.layout("6.12.0", .fourKiB, 48, 48, physOffset: 0x4000_0000)
    let info = VMCoreInfo(Array("SYMBOL(vmemmap)=fffffdffbf000000\n".utf8))
    let vmemmap = try #require(Vmemmap(layout, info, linearOffset: nil))
    #expect(vmemmap.page(of: 0x40000) == 0xffff_fdff_c000_0000)
    #expect(Vmemmap(layout, nil, linearOffset: nil) == nil)
  }

  @Test(
    "PHYS_OFFSET is detached from 5.4 to 5.9",
    arguments: [("5.3.0", false), ("5.4.0", true), ("5.9.16", true), ("5.10.0", false), ("5.11.0", false)])
  func detachedVersions(_ release: String, _ isDetached: Bool) {
    let (facts, layout) = Self.layout(release, .fourKiB, 48, 48, physOffset: 0x4000_0000)
    #expect(LinearMap.isDetached(layout, facts) == isDetached)
  }
}

/// Page types as the kernel's page-flags.h of each time writes them.
@Suite struct PageTypeTests {
  struct Case: Sendable {
    var value: Int64
    var matching: [UInt32]
    var others: [UInt32]
  }

  static let cases = [
    // Until 4.17 PAGE_BUDDY_MAPCOUNT_VALUE was -128, and a balloon page had -256.
    Case(value: -128, matching: [0xffff_ff80], others: [0xffff_ffff, 0, 1, 0xffff_ff00]),
    // 4.18 to 6.10: ~PG_buddy, 0x80, below PAGE_TYPE_BASE 0xf0000000.
    Case(value: -129, matching: [0xffff_ff7f], others: [0xffff_ffff, 0, 0x7f, 0xffff_feff, 0x7fff_ff7f]),
    // 6.11: ~PG_buddy, 0x40000000, below PAGE_TYPE_BASE 0x80000000; the low half may hold something else.
    Case(
      value: -0x4000_0001, matching: [0xbfff_ffff, 0xbfff_0000], others: [0xffff_ffff, 0, 0xdfff_ffff, 0x3fff_ffff]),
    // 6.12: PGTY_buddy, 0xf0, in the top byte.
    Case(
      value: -0x1000_0000, matching: [0xf000_0000, 0xf012_3456], others: [0xffff_ffff, 0, 0xf100_0000, 0xe000_0000]),
  ]

  @Test(arguments: cases)
  func buddy(_ row: Case) {
    let type = PageType(UInt64(bitPattern: row.value))
    for word in row.matching { #expect(type.matches(word), "\(String(word, radix: 16))") }
    for word in row.others { #expect(!type.matches(word), "\(String(word, radix: 16))") }
  }
}
