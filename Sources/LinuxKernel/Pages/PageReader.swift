import Bytes
import DebugInfo
import VMSA

/// Describes page frames, singly or all in order.
package final class PageReader: Sendable {
  let context: KernelContext
  let pages: PageArray
  let flags: KPageFlags
  private let zones: PageZones
  /// The owners of frames that are neither free, nor file or anonymous memory, nor marked in their `struct page`.
  private let claims: Lazy<FrameClaims>
  /// The number of orders of the page allocator.
  private let orders: UInt64
  private let swapCache: UInt64
  /// The frames of the kernel image.
  private let image: Range<UInt64>
  private let reserved: UInt64

  /// Names of the zones by their numbers.
  private let zoneNames: [String]

  init(_ context: KernelContext, _ pages: PageArray, claims: Lazy<FrameClaims>) {
    self.context = context
    self.pages = pages
    self.claims = claims
    let types = context.types.value
    func word(_ names: String...) -> UInt64? {
      names.lazy.compactMap { context.symbols.symbol(named: $0) }.first.flatMap { context.memory.word(at: $0.address) }
    }
    // On arm64 the one zero page is in the image; the variable with its frame was renamed in 7.0.
    let zero = word("zero_page_pfn", "zero_pfn").map { [$0] } ?? []
    flags = KPageFlags(
      pages.layout, pages.types, zero: Set(zero), hugeZero: word("huge_zero_pfn").flatMap { $0 == .max ? nil : $0 },
      hasSnapshots: types.size(of: "page_snapshot") != nil)
    zones = PageZones(types)
    zoneNames = PageZones.names(types)
    image = Self.imageFrames(context)
    orders = UInt64(min(max(context.vmcoreinfo?.length("zone.free_area") ?? 14, 1), 20))
    let backed = pages.layout.mask("swapbacked"), cached = pages.layout.mask("swapcache")
    swapCache = backed == 0 || cached == 0 ? 0 : backed | cached
    reserved = pages.layout.mask("reserved")
  }

  /// The names of the bits set in `flags`, without "PG_".
  package func names(ofFlags flags: UInt64) -> [String] {
    let names = pages.layout.flagNames
    var rest = names.count >= 64 ? flags : flags & (1 << UInt64(names.count) - 1)
    var result: [String] = []
    while rest != 0 {
      if let name = names[rest.trailingZeroBitCount] { result.append(name) }
      rest &= rest - 1
    }
    return result
  }

  /// Whether the bit of PG_reserved is known; if not, reserved pages count as in other use.
  var tellsReserved: Bool { reserved != 0 }

  /// The name of zone number `zone`, as in /proc/zoneinfo.
  package func name(ofZone zone: Int) -> String? { zoneNames.indices.contains(zone) ? zoneNames[zone] : nil }

  /// The owner of `frame` among what the kernel has mapped or set aside, for messages.
  func claimant(of frame: UInt64) -> String? { claims.value.owner(of: frame) }

  private static func imageFrames(_ context: KernelContext) -> Range<UInt64> {
    guard let span = context.image.addresses(context.regime, in: context.dump), let offset = context.image.offset else {
      return 0..<0
    }
    let shift = UInt64(context.regime.granule.pageShift)
    let first = (span.lowerBound &- offset) >> shift
    let last = (span.upperBound &- offset) >> shift
    return first <= last ? first..<(last + 1) : 0..<0
  }

  /// What is known of `frame`.
  package func frame(_ frame: UInt64) -> PageFrame {
    guard let record = pages.record(frame) else { return missing(frame) }
    let head = pages.head(of: frame, record)
    let first = head == frame ? record : pages.record(head) ?? record
    return describe(frame, record, pages.folio(head, first), freeOrder: freeOrder(frame, record))
  }

  /// Calls `body` with each frame of `frames` in order, until it returns false.
  ///
  /// - Returns: whether it reached the end.
  @discardableResult
  package func forEachFrame(_ frames: Range<UInt64>, _ body: (PageFrame) -> Bool) -> Bool {
    var folio: Folio?
    var freeEnd: UInt64 = 0
    var freeOrder = 0
    // The free block or compound page of the first frame may begin before it.
    if let record = pages.record(frames.lowerBound), let order = self.freeOrder(frames.lowerBound, record) {
      freeOrder = order
      freeEnd = (frames.lowerBound >> UInt64(order) &+ 1) << UInt64(order)
    }
    return pages.forEachFrame(frames) { frame, record in
      guard let record else { return body(missing(frame)) }
      if let order = ownFreeOrder(frame, record), frame >= freeEnd || order > freeOrder {
        freeOrder = order
        freeEnd = frame &+ 1 << UInt64(order)
      }
      let head = pages.head(of: frame, record)
      if folio?.head != head {
        folio = pages.folio(head, head == frame ? record : pages.record(head) ?? record)
      }
      guard let folio else { return true }
      return body(describe(frame, record, folio, freeOrder: frame < freeEnd ? freeOrder : nil))
    }
  }

  /// The order of the free block that begins at `frame`; nil if none does.
  @inline(__always)
  private func ownFreeOrder(_ frame: UInt64, _ record: PageRecord) -> Int? {
    guard let buddy = pages.types.buddy, buddy.matches(record.mapcount), record.privateData < orders,
      frame & (1 << record.privateData - 1) == 0
    else { return nil }
    return Int(record.privateData)
  }

  /// The order of the free block that `frame` is in; nil if it is in none.
  private func freeOrder(_ frame: UInt64, _ record: PageRecord) -> Int? {
    if let own = ownFreeOrder(frame, record) { return own }
    guard record.refcount == 0 else { return nil }
    for order in 1..<orders {
      let head = frame & ~(1 << order - 1)
      guard head != frame, let first = pages.record(head), let found = ownFreeOrder(head, first),
        UInt64(found) >= order
      else { continue }
      return found
    }
    return nil
  }

  private func missing(_ frame: UInt64) -> PageFrame {
    let structure = pages.vmemmap.page(of: frame)
    // Mapped, but not in the dump: filtered.
    let use: PageUse = context.memory.leaf(at: structure) == nil ? .absent : .filtered
    return PageFrame(
      frame: frame, structure: structure, physical: frame << pages.vmemmap.pageShift, use: use, words: nil)
  }

  @inline(__always)
  private func describe(_ frame: UInt64, _ record: PageRecord, _ folio: Folio, freeOrder: Int?) -> PageFrame {
    let isSlab = pages.isSlab(folio.record)
    // Inside a free block, only pages without references are free.
    let isFree = freeOrder != nil && (record.refcount == 0 || pages.types.buddy?.matches(record.mapcount) ?? false)
    let isType = pages.types.isType(record.mapcount)
    let place = zones.place(record.flags)
    return PageFrame(
      frame: frame, structure: pages.vmemmap.page(of: frame), physical: frame << pages.vmemmap.pageShift,
      use: use(frame, record, folio, isSlab: isSlab, isFree: isFree),
      words: PageFrame.Words(
        flags: record.flags,
        kpageflags: flags.word(frame, record, folio, isSlab: isSlab, isFree: isFree),
        refcount: Int(record.refcount), mapcount: isType ? 0 : Int(Int32(bitPattern: record.mapcount)) + 1,
        type: isType ? pages.types.name(of: record.mapcount) : nil, mapping: record.mapping,
        index: pages.layout.index == nil ? nil : record.index,
        head: pages.vmemmap.page(of: folio.head), charge: isSlab || isFree ? 0 : folio.record.memcg, order: folio.order,
        buddyOrder: isFree ? freeOrder : nil,
        zone: place?.zone, node: place?.node))
  }

  @inline(__always)
  private func use(_ frame: UInt64, _ record: PageRecord, _ folio: Folio, isSlab: Bool, isFree: Bool) -> PageUse {
    if isFree { return .free }
    if isSlab { return .slab }
    if pages.types.table?.matches(folio.record.mapcount) ?? false { return .pageTable }
    if folio.isHugetlb { return .huge }
    let isType = pages.types.isType(folio.record.mapcount)
    let mapping = folio.record.mapping
    if !isType, folio.record.refcount > 0 {
      if mapping & 1 != 0 { return .anonymous }
      if swapCache != 0, folio.record.flags & swapCache == swapCache { return .anonymous }
      // A `mapping` that is not a struct address_space is no kernel address: 0, a list poison, a device address.
      if mapping & 7 == 0, mapping >> 52 == 0xfff, folio.record.flags & reserved == 0 { return .file }
    }
    if record.flags & reserved != 0, image.contains(frame) { return .kernelImage }
    if let use = claims.value.use(of: frame) { return use }
    return record.flags & reserved != 0 ? .reserved : .other
  }
}
