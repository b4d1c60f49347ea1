import KernelLayout
import Testing
import VMSA

/// Where the regions of the kernel are, against tables that were worked out from the kernel's own headers and
/// documents, cell by cell.
@Suite struct AddressLayoutTests {
  struct Table: CustomTestStringConvertible, Sendable {
    /// The first version of the era.
    let since: KernelVersion
    let name: String
    /// Two lines a row: `page/VA [on bits] [KASAN] | PAGE_OFFSET PAGE_END KASAN_SHADOW_START MODULES_VADDR
    /// VMALLOC_START`, then `VMALLOC_END VMEMMAP_START last-of-vmemmap PCI_IO_START FIXADDR_TOP`.
    let text: String
    var testDescription: String { name }

    /// Each row's configuration, with its ten cells.
    var rows: [(label: String, cells: [String])] {
      var rows: [(label: String, cells: [String])] = []
      for line in text.split(separator: "\n") {
        let parts = line.split(separator: "|")
        if parts.count == 2 {
          rows.append((String(parts[0].dropLast()), []))
        }
        rows[rows.count - 1].cells += parts[parts.count - 1].split(separator: " ").map(String.init)
      }
      return rows
    }
  }

  /// Reads the likes of `64K/52 on 48` and `4K/48 KASAN-gen`.
  static func configuration(_ label: String) throws -> LayoutConfiguration {
    let words = label.split(separator: " ")
    let shape = try #require(words.first).split(separator: "/")
    let granules: [Substring: Granule] = ["4K": .fourKiB, "16K": .sixteenKiB, "64K": .sixtyFourKiB]
    var configuration = LayoutConfiguration(
      granule: try #require(granules[shape[0]]), vaBits: try #require(Int(shape[1])))
    switch words.dropFirst() {
    case []: break
    case ["KASAN-gen"]: configuration.kasan = .generic
    case ["KASAN-sw"]: configuration.kasan = .softwareTags
    case let fallback:
      #expect(fallback.first == "on")
      configuration.vaBitsActual = try #require(fallback.last.flatMap { Int($0) })
    }
    return configuration
  }

  static func era(_ major: Int, _ minor: Int) throws -> LayoutEra {
    try #require(LayoutEra.all.first { $0.since == KernelVersion(major, minor) })
  }

  static func text(_ value: UInt64) -> String { String(value, radix: 16) }

  @Test(arguments: tables)
  func everyCellIsAsWorkedOut(_ table: Table) throws {
    let era = try Self.era(table.since.major, table.since.minor)
    #expect(era.name == table.name)
    for (label, cells) in table.rows {
      let layout = AddressLayout(era: era, try Self.configuration(label))
      try #require(cells.count == 10)
      #expect(Self.text(layout.linearMap.start) == cells[0], "PAGE_OFFSET of \(label)")
      let pageEnd = layout.linearMap.end == 0 ? "2^64" : Self.text(layout.linearMap.end)
      #expect(pageEnd == cells[1], "PAGE_END of \(label)")
      #expect(layout.kasanShadow.map { Self.text($0.start) } ?? "-" == cells[2], "KASAN shadow of \(label)")
      #expect(Self.text(layout.modules.start) == cells[3], "MODULES_VADDR of \(label)")
      #expect(Self.text(layout.vmalloc.start) == cells[4], "VMALLOC_START of \(label)")
      #expect(Self.text(layout.modules.end) == cells[4], "MODULES_END of \(label)")
      #expect(Self.text(layout.vmalloc.end) == cells[5], "VMALLOC_END of \(label)")
      #expect(Self.text(layout.vmemmap.start) == cells[6], "VMEMMAP_START of \(label)")
      #expect(Self.text(layout.vmemmap.end &- 1) == cells[7], "last of vmemmap of \(label)")
      #expect(Self.text(layout.pciIO.start) == cells[8], "PCI_IO_START of \(label)")
      #expect(layout.pciIO.size == 16 << 20, "PCI_IO_SIZE of \(label)")
      #expect(Self.text(layout.fixmap.end) == cells[9], "FIXADDR_TOP of \(label)")
    }
  }

  /// Rows that were lost from the tables would be checks that are not made.
  @Test func noRowIsMissing() {
    #expect(Self.tables.map(\.rows.count) == [6, 7, 9, 9, 9, 9, 13])
    #expect(LayoutEra.all.map(\.since) == Self.tables.map(\.since).reversed())
  }

  /// Where the shadow ends, and that nothing lies between it and what follows it.
  static let shadows: [(Int, Int, LayoutConfiguration.KASAN, UInt64, UInt64)] = [
    (4, 6, .generic, 0xffff_0000_0000_0000, 0xffff_2000_0000_0000),
    (5, 0, .generic, 0xffff_0000_0000_0000, 0xffff_2000_0000_0000),
    (5, 0, .softwareTags, 0xffff_0000_0000_0000, 0xffff_1000_0000_0000),
    (5, 4, .generic, 0xffff_8000_0000_0000, 0xffff_a000_0000_0000),
    (5, 4, .softwareTags, 0xffff_8000_0000_0000, 0xffff_9000_0000_0000),
    (5, 11, .generic, 0xffff_6000_0000_0000, 0xffff_8000_0000_0000),
    (5, 11, .softwareTags, 0xffff_7000_0000_0000, 0xffff_8000_0000_0000),
    (6, 9, .generic, 0xffff_6000_0000_0000, 0xffff_8000_0000_0000),
  ]

  @Test(arguments: shadows)
  func shadowOf4KiB48BitsHasItsBounds(
    _ major: Int, _ minor: Int, _ kasan: LayoutConfiguration.KASAN, _ start: UInt64, _ end: UInt64
  ) throws {
    let layout = AddressLayout(
      era: try Self.era(major, minor), LayoutConfiguration(granule: .fourKiB, vaBits: 48, kasan: kasan))
    #expect(layout.kasanShadow == AddressLayout.Span(start, end))
  }

  /// sizeof(struct page) of 80 bytes: a power of two up to 6.8, the size itself after.
  @Test func largerStructPageMovesVmemmap() throws {
    let large = LayoutConfiguration(granule: .fourKiB, vaBits: 48, structPageSize: 80)
    let shifted = AddressLayout(era: try Self.era(6, 5), large)
    #expect(shifted.vmemmap == AddressLayout.Span(0xffff_f800_0000_0000, 0xffff_fc00_0000_0000))
    #expect(shifted.vmalloc.end == 0xffff_f7ff_f000_0000)
    let exact = AddressLayout(era: try Self.era(6, 9), large)
    #expect(exact.vmemmap == AddressLayout.Span(0xffff_fd7f_c000_0000, 0xffff_ffff_c000_0000))
    #expect(exact.vmalloc.end == 0xffff_fd7f_bf80_0000)
  }

  /// The first and last address of each row in the document of Linux 5.11. (Documentation/arm64/memory.rst)
  static let rows4K48: [(UInt64, UInt64, Region)] = [
    (0xffff_0000_0000_0000, 0xffff_5fff_ffff_ffff, .linearMap),
    (0xffff_6000_0000_0000, 0xffff_7fff_ffff_ffff, .kasanShadow),
    (0xffff_8000_0000_0000, 0xffff_8000_07ff_ffff, .bpfJIT),
    (0xffff_8000_0800_0000, 0xffff_8000_0fff_ffff, .modules),
    (0xffff_8000_1000_0000, 0xffff_fbff_efff_ffff, .vmalloc),
    (0xffff_fbff_f000_0000, 0xffff_fbff_fdff_ffff, .fixmap),
    (0xffff_fbff_fe00_0000, 0xffff_fbff_fe7f_ffff, .guardRegion),
    (0xffff_fbff_fe80_0000, 0xffff_fbff_ff7f_ffff, .pciIO),
    (0xffff_fbff_ff80_0000, 0xffff_fbff_ffff_ffff, .guardRegion),
    (0xffff_fc00_0000_0000, 0xffff_fdff_ffff_ffff, .vmemmap),
    (0xffff_fe00_0000_0000, 0xffff_ffff_ffff_ffff, .guardRegion),
  ]
  static let rows64K52: [(UInt64, UInt64, Region)] = [
    (0xfff0_0000_0000_0000, 0xfffd_7fff_ffff_ffff, .linearMap),
    (0xfffd_8000_0000_0000, 0xffff_7fff_ffff_ffff, .kasanShadow),
    (0xffff_8000_0000_0000, 0xffff_8000_07ff_ffff, .bpfJIT),
    (0xffff_8000_0800_0000, 0xffff_8000_0fff_ffff, .modules),
    (0xffff_8000_1000_0000, 0xffff_fbff_efff_ffff, .vmalloc),
    (0xffff_fbff_f000_0000, 0xffff_fbff_fdff_ffff, .fixmap),
    (0xffff_fbff_fe00_0000, 0xffff_fbff_fe7f_ffff, .guardRegion),
    (0xffff_fbff_fe80_0000, 0xffff_fbff_ff7f_ffff, .pciIO),
    (0xffff_fbff_ff80_0000, 0xffff_fbff_ffff_ffff, .guardRegion),
    (0xffff_fc00_0000_0000, 0xffff_ffdf_ffff_ffff, .vmemmap),
    (0xffff_ffe0_0000_0000, 0xffff_ffff_ffff_ffff, .guardRegion),
  ]

  static let documents: [(Granule, Int, [(UInt64, UInt64, Region)])] = [
    (.fourKiB, 48, rows4K48), (.sixtyFourKiB, 52, rows64K52),
  ]

  @Test func documentOf511HoldsRowByRow() throws {
    for (granule, bits, rows) in Self.documents {
      let configuration = LayoutConfiguration(granule: granule, vaBits: bits, kasan: .generic)
      let layout = AddressLayout(era: try Self.era(5, 11), configuration)
      let spans: [Region: AddressLayout.Span?] = [
        .linearMap: layout.linearMap, .kasanShadow: layout.kasanShadow, .bpfJIT: layout.bpfJIT,
        .modules: layout.modules, .vmalloc: layout.vmalloc, .fixmap: layout.fixmap, .pciIO: layout.pciIO,
        .vmemmap: layout.vmemmap,
      ]
      for (first, last, region) in rows {
        #expect(layout.region(of: first) == region, "\(Self.text(first)), \(bits) bits")
        #expect(layout.region(of: last) == region, "\(Self.text(last)), \(bits) bits")
        if region != .guardRegion {
          #expect(spans[region] == AddressLayout.Span(first, last &+ 1), "\(region), \(bits) bits")
        }
      }
    }
  }

  /// Without KASAN the linear map takes the place of the shadow.
  @Test func documentOf511WithoutKASAN() throws {
    for (granule, bits, rows) in Self.documents {
      let layout = AddressLayout(
        era: try Self.era(5, 11), LayoutConfiguration(granule: granule, vaBits: bits))
      #expect(layout.kasanShadow == nil)
      #expect(layout.linearMap == AddressLayout.Span(rows[0].0, 0xffff_8000_0000_0000))
      for (first, last, region) in rows.dropFirst(2) {
        #expect(layout.region(of: first) == region && layout.region(of: last) == region)
      }
    }
  }

  /// The shadow of 64 KiB and 52 bits is as large up to 6.8.
  @Test(arguments: [(5, 11), (5, 17), (6, 5)])
  func shadowOf64KiB52Bits(_ major: Int, _ minor: Int) throws {
    let configuration = LayoutConfiguration(granule: .sixtyFourKiB, vaBits: 52, kasan: .generic)
    let layout = AddressLayout(era: try Self.era(major, minor), configuration)
    #expect(layout.kasanShadow == AddressLayout.Span(0xfffd_8000_0000_0000, 0xffff_8000_0000_0000))
    #expect(layout.linearMap.end == 0xfffd_8000_0000_0000)
  }

  /// An end of 2^64, which is 0 in 64 bits.
  @Test func spanReachesTheEndOfTheSpace() {
    let span = AddressLayout.Span(0xffff_8000_0000_0000, 0)
    #expect(span.size == 0x8000_0000_0000)
    #expect(span.contains(0xffff_8000_0000_0000) && span.contains(.max))
    #expect(!span.contains(0xffff_7fff_ffff_ffff) && !span.contains(0))
  }

  // From VA_BITS, PAGE_SHIFT and the formulas of asm/memory.h and asm/pgtable.h of each era, worked out by
  // another program and compared with the kernel's documents of 5.4, 5.10, 5.11, 6.1 and 6.8.
  static let tables: [Table] = [
    Table(
      since: KernelVersion(4, 6), name: "4.6 to 4.20",
      text: """
        4K/39 | ffffffc000000000 2^64 - ffffff8000000000 ffffff8008000000
          ffffffbebfff0000 ffffffbf00000000 ffffffbfffffffff ffffffbefee00000 ffffffbefec00000
        4K/48 | ffff800000000000 2^64 - ffff000000000000 ffff000008000000
          ffff7dffbfff0000 ffff7e0000000000 ffff7fffffffffff ffff7dfffee00000 ffff7dfffec00000
        16K/47 | ffffc00000000000 2^64 - ffff800000000000 ffff800008000000
          ffffbfafffff0000 ffffbfc000000000 ffffbfffffffffff ffffbfbffee00000 ffffbfbffec00000
        64K/42 | fffffe0000000000 2^64 - fffffc0000000000 fffffc0008000000
          fffffdff5fff0000 fffffdff80000000 fffffdffffffffff fffffdff7ee00000 fffffdff7ec00000
        64K/48 | ffff800000000000 2^64 - ffff000000000000 ffff000008000000
          ffff7bdfffff0000 ffff7fe000000000 ffff7fffffffffff ffff7fdffee00000 ffff7fdffec00000
        4K/48 KASAN-gen | ffff800000000000 2^64 ffff000000000000 ffff200000000000 ffff200008000000
          ffff7dffbfff0000 ffff7e0000000000 ffff7fffffffffff ffff7dfffee00000 ffff7dfffec00000
        """),
    Table(
      since: KernelVersion(5, 0), name: "5.0 to 5.3",
      text: """
        4K/39 | ffffffc000000000 2^64 - ffffff8008000000 ffffff8010000000
          ffffffbebfff0000 ffffffbf00000000 ffffffbfffffffff ffffffbefee00000 ffffffbefec00000
        4K/48 | ffff800000000000 2^64 - ffff000008000000 ffff000010000000
          ffff7dffbfff0000 ffff7e0000000000 ffff7fffffffffff ffff7dfffee00000 ffff7dfffec00000
        16K/47 | ffffc00000000000 2^64 - ffff800008000000 ffff800010000000
          ffffbfafffff0000 ffffbfc000000000 ffffbfffffffffff ffffbfbffee00000 ffffbfbffec00000
        64K/42 | fffffe0000000000 2^64 - fffffc0008000000 fffffc0010000000
          fffffdff5fff0000 fffffdff80000000 fffffdffffffffff fffffdff7ee00000 fffffdff7ec00000
        64K/48 | ffff800000000000 2^64 - ffff000008000000 ffff000010000000
          ffff7bdfffff0000 ffff7fe000000000 ffff7fffffffffff ffff7fdffee00000 ffff7fdffec00000
        4K/48 KASAN-gen | ffff800000000000 2^64 ffff000000000000 ffff200008000000 ffff200010000000
          ffff7dffbfff0000 ffff7e0000000000 ffff7fffffffffff ffff7dfffee00000 ffff7dfffec00000
        4K/48 KASAN-sw | ffff800000000000 2^64 ffff000000000000 ffff100008000000 ffff100010000000
          ffff7dffbfff0000 ffff7e0000000000 ffff7fffffffffff ffff7dfffee00000 ffff7dfffec00000
        """),
    Table(
      since: KernelVersion(5, 4), name: "5.4 to 5.10",
      text: """
        4K/39 | ffffff8000000000 ffffffc000000000 - ffffffc008000000 ffffffc010000000
          fffffffebfff0000 fffffffeffe00000 ffffffffffdfffff fffffffefec00000 fffffffefea00000
        4K/48 | ffff000000000000 ffff800000000000 - ffff800008000000 ffff800010000000
          fffffdffbfff0000 fffffdffffe00000 ffffffffffdfffff fffffdfffec00000 fffffdfffea00000
        16K/47 | ffff800000000000 ffffc00000000000 - ffffc00008000000 ffffc00010000000
          ffffffafffff0000 ffffffbfffe00000 ffffffffffdfffff ffffffbffec00000 ffffffbffea00000
        64K/42 | fffffc0000000000 fffffe0000000000 - fffffe0008000000 fffffe0010000000
          ffffffff5fff0000 ffffffff7fe00000 ffffffffffdfffff ffffffff7ec00000 ffffffff7ea00000
        64K/48 | ffff000000000000 ffff800000000000 - ffff800008000000 ffff800010000000
          fffffbdfffff0000 ffffffdfffe00000 ffffffffffdfffff ffffffdffec00000 ffffffdffea00000
        64K/52 | fff0000000000000 fff8000000000000 - ffff800008000000 ffff800010000000
          fffff81fffff0000 fffffc1fffe00000 ffffffffffdfffff fffffc1ffec00000 fffffc1ffea00000
        64K/52 on 48 | fff0000000000000 ffff800000000000 - ffff800008000000 ffff800010000000
          fffff81fffff0000 fffffc1fffe00000 ffffffffffdfffff fffffc1ffec00000 fffffc1ffea00000
        4K/48 KASAN-gen | ffff000000000000 ffff800000000000 ffff800000000000 ffffa00008000000 ffffa00010000000
          fffffdffbfff0000 fffffdffffe00000 ffffffffffdfffff fffffdfffec00000 fffffdfffea00000
        4K/48 KASAN-sw | ffff000000000000 ffff800000000000 ffff800000000000 ffff900008000000 ffff900010000000
          fffffdffbfff0000 fffffdffffe00000 ffffffffffdfffff fffffdfffec00000 fffffdfffea00000
        """),
    Table(
      since: KernelVersion(5, 11), name: "5.11 to 5.16",
      text: """
        4K/39 | ffffff8000000000 ffffffc000000000 - ffffffc008000000 ffffffc010000000
          fffffffdf0000000 fffffffe00000000 fffffffeffffffff fffffffdfe800000 fffffffdfe000000
        4K/48 | ffff000000000000 ffff800000000000 - ffff800008000000 ffff800010000000
          fffffbfff0000000 fffffc0000000000 fffffdffffffffff fffffbfffe800000 fffffbfffe000000
        16K/47 | ffff800000000000 ffffc00000000000 - ffffc00008000000 ffffc00010000000
          ffffff7ff0000000 ffffff8000000000 ffffffbfffffffff ffffff7ffe800000 ffffff7ffe000000
        64K/42 | fffffc0000000000 fffffe0000000000 - fffffe0008000000 fffffe0010000000
          fffffffef0000000 ffffffff00000000 ffffffff7fffffff fffffffefe800000 fffffffefe000000
        64K/48 | ffff000000000000 ffff800000000000 - ffff800008000000 ffff800010000000
          ffffffbff0000000 ffffffc000000000 ffffffdfffffffff ffffffbffe800000 ffffffbffe000000
        64K/52 | fff0000000000000 ffff800000000000 - ffff800008000000 ffff800010000000
          fffffbfff0000000 fffffc0000000000 ffffffdfffffffff fffffbfffe800000 fffffbfffe000000
        64K/52 on 48 | fff0000000000000 ffff800000000000 - ffff800008000000 ffff800010000000
          fffffbfff0000000 fffffc0000000000 ffffffdfffffffff fffffbfffe800000 fffffbfffe000000
        4K/48 KASAN-gen | ffff000000000000 ffff600000000000 ffff600000000000 ffff800008000000 ffff800010000000
          fffffbfff0000000 fffffc0000000000 fffffdffffffffff fffffbfffe800000 fffffbfffe000000
        4K/48 KASAN-sw | ffff000000000000 ffff700000000000 ffff700000000000 ffff800008000000 ffff800010000000
          fffffbfff0000000 fffffc0000000000 fffffdffffffffff fffffbfffe800000 fffffbfffe000000
        """),
    Table(
      since: KernelVersion(5, 17), name: "5.17 to 6.4",
      text: """
        4K/39 | ffffff8000000000 ffffffc000000000 - ffffffc000000000 ffffffc008000000
          fffffffdf0000000 fffffffe00000000 fffffffeffffffff fffffffdfe800000 fffffffdfe000000
        4K/48 | ffff000000000000 ffff800000000000 - ffff800000000000 ffff800008000000
          fffffbfff0000000 fffffc0000000000 fffffdffffffffff fffffbfffe800000 fffffbfffe000000
        16K/47 | ffff800000000000 ffffc00000000000 - ffffc00000000000 ffffc00008000000
          ffffff7ff0000000 ffffff8000000000 ffffffbfffffffff ffffff7ffe800000 ffffff7ffe000000
        64K/42 | fffffc0000000000 fffffe0000000000 - fffffe0000000000 fffffe0008000000
          fffffffef0000000 ffffffff00000000 ffffffff7fffffff fffffffefe800000 fffffffefe000000
        64K/48 | ffff000000000000 ffff800000000000 - ffff800000000000 ffff800008000000
          ffffffbff0000000 ffffffc000000000 ffffffdfffffffff ffffffbffe800000 ffffffbffe000000
        64K/52 | fff0000000000000 ffff800000000000 - ffff800000000000 ffff800008000000
          fffffbfff0000000 fffffc0000000000 ffffffdfffffffff fffffbfffe800000 fffffbfffe000000
        64K/52 on 48 | fff0000000000000 ffff800000000000 - ffff800000000000 ffff800008000000
          fffffbfff0000000 fffffc0000000000 ffffffdfffffffff fffffbfffe800000 fffffbfffe000000
        4K/48 KASAN-gen | ffff000000000000 ffff600000000000 ffff600000000000 ffff800000000000 ffff800008000000
          fffffbfff0000000 fffffc0000000000 fffffdffffffffff fffffbfffe800000 fffffbfffe000000
        4K/48 KASAN-sw | ffff000000000000 ffff700000000000 ffff700000000000 ffff800000000000 ffff800008000000
          fffffbfff0000000 fffffc0000000000 fffffdffffffffff fffffbfffe800000 fffffbfffe000000
        """),
    Table(
      since: KernelVersion(6, 5), name: "6.5 to 6.8",
      text: """
        4K/39 | ffffff8000000000 ffffffc000000000 - ffffffc000000000 ffffffc080000000
          fffffffdf0000000 fffffffe00000000 fffffffeffffffff fffffffdfe800000 fffffffdfe000000
        4K/48 | ffff000000000000 ffff800000000000 - ffff800000000000 ffff800080000000
          fffffbfff0000000 fffffc0000000000 fffffdffffffffff fffffbfffe800000 fffffbfffe000000
        16K/47 | ffff800000000000 ffffc00000000000 - ffffc00000000000 ffffc00080000000
          ffffff7ff0000000 ffffff8000000000 ffffffbfffffffff ffffff7ffe800000 ffffff7ffe000000
        64K/42 | fffffc0000000000 fffffe0000000000 - fffffe0000000000 fffffe0080000000
          fffffffef0000000 ffffffff00000000 ffffffff7fffffff fffffffefe800000 fffffffefe000000
        64K/48 | ffff000000000000 ffff800000000000 - ffff800000000000 ffff800080000000
          ffffffbff0000000 ffffffc000000000 ffffffdfffffffff ffffffbffe800000 ffffffbffe000000
        64K/52 | fff0000000000000 ffff800000000000 - ffff800000000000 ffff800080000000
          fffffbfff0000000 fffffc0000000000 ffffffdfffffffff fffffbfffe800000 fffffbfffe000000
        64K/52 on 48 | fff0000000000000 ffff800000000000 - ffff800000000000 ffff800080000000
          fffffbfff0000000 fffffc0000000000 ffffffdfffffffff fffffbfffe800000 fffffbfffe000000
        4K/48 KASAN-gen | ffff000000000000 ffff600000000000 ffff600000000000 ffff800000000000 ffff800080000000
          fffffbfff0000000 fffffc0000000000 fffffdffffffffff fffffbfffe800000 fffffbfffe000000
        4K/48 KASAN-sw | ffff000000000000 ffff700000000000 ffff700000000000 ffff800000000000 ffff800080000000
          fffffbfff0000000 fffffc0000000000 fffffdffffffffff fffffbfffe800000 fffffbfffe000000
        """),
    Table(
      since: KernelVersion(6, 9), name: "6.9 and later",
      text: """
        4K/39 | ffffff8000000000 ffffffc000000000 - ffffffc000000000 ffffffc080000000
          fffffffebf800000 fffffffec0000000 ffffffffbfffffff ffffffffc0800000 ffffffffff800000
        4K/48 | ffff000000000000 ffff800000000000 - ffff800000000000 ffff800080000000
          fffffdffbf800000 fffffdffc0000000 ffffffffbfffffff ffffffffc0800000 ffffffffff800000
        16K/47 | ffff800000000000 ffffc00000000000 - ffffc00000000000 ffffc00080000000
          ffffffbfbf800000 ffffffbfc0000000 ffffffffbfffffff ffffffffc0800000 ffffffffff800000
        64K/42 | fffffc0000000000 fffffe0000000000 - fffffe0000000000 fffffe0080000000
          ffffffff3f800000 ffffffff40000000 ffffffffbfffffff ffffffffc0800000 ffffffffff800000
        64K/48 | ffff000000000000 ffff800000000000 - ffff800000000000 ffff800080000000
          ffffffdfbf800000 ffffffdfc0000000 ffffffffbfffffff ffffffffc0800000 ffffffffff800000
        64K/52 | fff0000000000000 ffff800000000000 - ffff800000000000 ffff800080000000
          fffffc1fbf800000 fffffc1fc0000000 ffffffffbfffffff ffffffffc0800000 ffffffffff800000
        64K/52 on 48 | fff0000000000000 ffff800000000000 - ffff800000000000 ffff800080000000
          ffffffdfbf800000 fffffc1fc0000000 ffffffffbfffffff ffffffffc0800000 ffffffffff800000
        4K/52 | fff0000000000000 ffff800000000000 - ffff800000000000 ffff800080000000
          ffffc1ffbf800000 ffffc1ffc0000000 ffffffffbfffffff ffffffffc0800000 ffffffffff800000
        4K/52 on 48 | fff0000000000000 ffff800000000000 - ffff800000000000 ffff800080000000
          fffffdffbf800000 ffffc1ffc0000000 ffffffffbfffffff ffffffffc0800000 ffffffffff800000
        16K/52 | fff0000000000000 ffffc00000000000 - ffffc00000000000 ffffc00080000000
          fffff03fbf800000 fffff03fc0000000 ffffffffbfffffff ffffffffc0800000 ffffffffff800000
        16K/52 on 47 | fff0000000000000 ffffc00000000000 - ffffc00000000000 ffffc00080000000
          ffffffbfbf800000 fffff03fc0000000 ffffffffbfffffff ffffffffc0800000 ffffffffff800000
        4K/48 KASAN-gen | ffff000000000000 ffff600000000000 ffff600000000000 ffff800000000000 ffff800080000000
          fffffdffbf800000 fffffdffc0000000 ffffffffbfffffff ffffffffc0800000 ffffffffff800000
        4K/48 KASAN-sw | ffff000000000000 ffff700000000000 ffff700000000000 ffff800000000000 ffff800080000000
          fffffdffbf800000 fffffdffc0000000 ffffffffbfffffff ffffffffc0800000 ffffffffff800000
        """),
  ]
}
