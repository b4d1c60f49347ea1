import VMSA

/// A row of the kernel's memory layout.
public struct LayoutRow: Hashable, Sendable {
  /// What the addresses are for.
  public let region: Region
  /// The addresses; an end of 0 is the end of the space.
  public let span: AddressLayout.Span
  /// Whether only kernels with KASAN have it; otherwise the addresses belong to the row before.
  package let isOptional: Bool

  /// Makes a row.
  package init(_ region: Region, _ span: AddressLayout.Span, isOptional: Bool = false) {
    self.region = region
    self.span = span
    self.isOptional = isOptional
  }
}

extension AddressLayout {
  /// The regions with their bounds, in the order of their addresses.
  package var regions: [(region: Region, span: Span)] {
    var all: [(region: Region, span: Span)] = [
      (.linearMap, linearMap), (.modules, modules), (.vmalloc, vmalloc), (.vmemmap, vmemmap), (.fixmap, fixmap),
      (.pciIO, pciIO),
    ]
    if let kasanShadow { all.append((.kasanShadow, kasanShadow)) }
    if let bpfJIT { all.append((.bpfJIT, bpfJIT)) }
    return all.filter { $0.span.size > 0 }.sorted { $0.span.start < $1.span.start }
  }

  /// The table of the layout: user space, each region, and what lies unused between them (`guard` from the end of
  /// vmalloc on, `hole` below). A region keeps its bounds even if another reaches into it.
  ///
  /// - Parameters:
  ///   - userBits: the width of user addresses.
  ///   - optionalShadow: where KASAN's shadow would be, if the kernel has none.
  package func rows(userBits: Int, optionalShadow: Span? = nil) -> [LayoutRow] {
    var rows = [LayoutRow(.user, Span(0, 1 << UInt64(userBits)))]
    var next: UInt64?
    func gap(_ start: UInt64, _ end: UInt64) -> LayoutRow {
      LayoutRow(start >= vmalloc.end ? .guardRegion : .hole, Span(start, end))
    }
    for (region, span) in regions {
      if let next, next != 0, next < span.start { rows.append(gap(next, span.start)) }
      rows.append(LayoutRow(region, span))
      if region == .linearMap, let optionalShadow {
        rows.append(LayoutRow(.kasanShadow, optionalShadow, isOptional: true))
      }
      // An end of 0 is above every other.
      if let before = next, before &- 1 > span.end &- 1 { continue }
      next = span.end
    }
    if let next, next != 0 { rows.append(gap(next, 0)) }
    return rows
  }
}
