import KernelLayout
import Testing
import VMSA

/// The layout as a table, for every row of the tables that `AddressLayoutTests` has.
@Suite struct LayoutRowsTests {
  @Test(arguments: AddressLayoutTests.tables)
  func everyCellIsInARow(_ table: AddressLayoutTests.Table) throws {
    let era = try AddressLayoutTests.era(table.since.major, table.since.minor)
    #expect(LayoutEra.of(table.since) == era)
    for (label, cells) in table.rows {
      let configuration = try AddressLayoutTests.configuration(label)
      #expect(era.allows(configuration), "\(label)")
      let rows = AddressLayout(era: era, configuration).rows(userBits: configuration.vaBitsActual)
      func row(_ region: Region) -> LayoutRow? { rows.first { $0.region == region } }
      func text(_ value: UInt64?) -> String { value.map { String($0, radix: 16) } ?? "-" }
      let linearEnd = row(.linearMap)?.span.end
      #expect(text(row(.linearMap)?.span.start) == cells[0], "PAGE_OFFSET of \(label)")
      #expect((linearEnd == 0 ? "2^64" : text(linearEnd)) == cells[1], "PAGE_END of \(label)")
      #expect(text(row(.kasanShadow)?.span.start) == cells[2], "KASAN shadow of \(label)")
      #expect(text(row(.modules)?.span.start) == cells[3], "MODULES_VADDR of \(label)")
      #expect(text(row(.vmalloc)?.span.start) == cells[4], "VMALLOC_START of \(label)")
      #expect(text(row(.vmalloc)?.span.end) == cells[5], "VMALLOC_END of \(label)")
      #expect(text(row(.vmemmap)?.span.start) == cells[6], "VMEMMAP_START of \(label)")
      #expect(text(row(.vmemmap).map { $0.span.end &- 1 }) == cells[7], "last of vmemmap of \(label)")
      #expect(text(row(.pciIO)?.span.start) == cells[8], "PCI_IO_START of \(label)")
      #expect(text(row(.fixmap)?.span.end) == cells[9], "FIXADDR_TOP of \(label)")

      // From the lowest kernel address on every one is in a row; where none overlaps, in exactly one.
      var next = rows[1].span.start
      for row in rows.dropFirst() {
        #expect(row.span.start <= next, "a gap before \(row.region) of \(label)")
        next = max(next &- 1, row.span.end &- 1) &+ 1
      }
      #expect(next == 0, "\(label) does not end at 2^64")
      #expect(rows[0] == LayoutRow(.user, AddressLayout.Span(0, 1 << UInt64(configuration.vaBitsActual))))
    }
  }

  @Test func whatIsBetweenIsGuardOrHole() throws {
    let era = try AddressLayoutTests.era(5, 4)
    let layout = AddressLayout(era: era, LayoutConfiguration(granule: .sixtyFourKiB, vaBits: 52))
    let rows = layout.rows(userBits: 52)
    // Between PAGE_END and the BPF region the flipped 52-bit space of 5.4 has nothing.
    #expect(rows.map(\.region).prefix(4) == [.user, .linearMap, .hole, .bpfJIT])
    #expect(rows[2].span == AddressLayout.Span(0xfff8_0000_0000_0000, 0xffff_8000_0000_0000))
    #expect(rows.last?.region == .guardRegion)
    #expect(rows.last?.span == AddressLayout.Span(0xffff_ffff_ffe0_0000, 0))
    for row in rows.dropFirst() {
      #expect(layout.region(of: row.span.start) == row.region)
      #expect(layout.region(of: row.span.end &- 1) == row.region)
    }
  }

  @Test func noKernelIsConfiguredSo() throws {
    for era in LayoutEra.all {
      let wide4K = LayoutConfiguration(granule: .fourKiB, vaBits: 52)
      #expect(era.allows(wide4K) == (era.since >= KernelVersion(6, 9)))
      let wide64K = LayoutConfiguration(granule: .sixtyFourKiB, vaBits: 52)
      #expect(era.allows(wide64K) == (era.since >= KernelVersion(5, 4)))
      #expect(!era.allows(LayoutConfiguration(granule: .fourKiB, vaBits: 42)))
      #expect(!era.allows(LayoutConfiguration(granule: .fourKiB, vaBits: 48, vaBitsActual: 39)))
    }
  }
}
