import Bytes

/// A compound page or a single page, as its head describes it.
struct Folio: Sendable {
  /// Its first frame.
  let head: UInt64
  /// The record of the head `struct page`.
  let record: PageRecord
  /// log2 of its pages.
  let order: Int
  let isHugetlb: Bool
  /// Whether it can be mapped page by page (PG_large_rmappable, in the second page).
  let isRmappable: Bool
  /// Whether it is mapped as a whole anywhere, or page by page if the kernel keeps one total.
  let isMappedAsWhole: Bool

  /// Whether it has more than one page.
  var isLarge: Bool { order > 0 }
}

extension PageArray {
  /// The compound page whose first frame is `head`.
  func folio(_ head: UInt64, _ record: PageRecord) -> Folio {
    let isTyped = types.hugetlb?.matches(record.mapcount) ?? false
    guard record.flags & layout.mask("head") != 0, let place = layout.order,
      let bytes = memory.bytes(at: vmemmap.page(of: head), count: 2 * layout.size)
    else {
      return Folio(
        head: head, record: record, order: 0, isHugetlb: isTyped, isRmappable: false, isMappedAsWhole: false)
    }
    let words = bytes.rawSpan
    let order = words.integer(UInt8.self, at: place.offset) ?? 0
    let flags = words.integer(UInt64.self, at: layout.size + layout.flags) ?? 0
    let destructor = layout.destructor.flatMap { words.integer(UInt8.self, at: layout.size + $0) }
    // A page type since 6.9, a flag of the second page since 6.6 (9c5ccf2db04b "mm: remove HUGETLB_PAGE_DTOR"), a
    // destructor before.
    let isHugetlb =
      isTyped || types.hugetlb == nil && flags & layout.mask("hugetlb") != 0
      || layout.hugetlbDestructor != nil && destructor == layout.hugetlbDestructor
    let mappings = layout.wholeMapcount.flatMap { words.integer(Int32.self, at: $0) } ?? -1
    return Folio(
      head: head, record: record, order: order < Self.orders ? Int(order) : 0, isHugetlb: isHugetlb,
      isRmappable: flags & layout.mask("large_rmappable") != 0, isMappedAsWhole: mappings >= 0)
  }
}
