import VMSA

/// Which page frames are free in the page allocator, by their `struct page`: the first one of a free block is marked,
/// and has the block's order. (`buddy_order`, mm/internal.h)
struct FreePages: Sendable {
  private let memory: KernelMemory
  private let vmemmap: Vmemmap
  private let type: PageType
  private let typeOffset: UInt64
  private let orderOffset: UInt64
  /// The number of orders.
  private let orders: UInt64

  /// If VMCOREINFO lacks LENGTH(zone.free_area): MAX_PAGE_ORDER is at most 13, with 64 KiB pages.
  private static let defaultOrders = 14
  /// Blocks of 2^19 pages of 4 KiB are 2 GiB, more than a memory section ever had (SECTION_SIZE_BITS).
  private static let mostOrders = 20

  /// nil if VMCOREINFO does not describe `struct page`.
  init?(_ memory: KernelMemory, _ vmemmap: Vmemmap, _ vmcoreinfo: VMCoreInfo) {
    guard let size = vmcoreinfo.size("page"), let type = vmcoreinfo.offset("page._mapcount"),
      let order = vmcoreinfo.offset("page.private"), (0..<size).contains(type), (0..<size).contains(order),
      let value = vmcoreinfo.number("PAGE_BUDDY_MAPCOUNT_VALUE")
    else { return nil }
    self.memory = memory
    self.vmemmap = vmemmap
    self.type = PageType(value)
    typeOffset = UInt64(type)
    orderOffset = UInt64(order)
    orders = UInt64(min(max(vmcoreinfo.length("zone.free_area") ?? Self.defaultOrders, 1), Self.mostOrders))
  }

  /// nil if VMCOREINFO does not describe `struct page`, or the page array is unknown.
  init?(_ context: KernelContext, _ arithmetic: Arithmetic) {
    guard let vmcoreinfo = context.vmcoreinfo, let vmemmap = context.vmemmap(arithmetic) else { return nil }
    self.init(context.memory, vmemmap, vmcoreinfo)
  }

  /// Whether `frame` is free; nil if its own `struct page` cannot be read.
  func isFree(_ frame: UInt64) -> Bool? {
    for order in 0..<orders {
      let page = vmemmap.page(of: frame & ~(1 << order - 1))
      guard let word = memory.integer(UInt32.self, at: page &+ typeOffset) else {
        if order == 0 { return nil }
        continue
      }
      if type.matches(word), let length = memory.word(at: page &+ orderOffset), order <= length, length < orders {
        return true
      }
    }
    return false
  }
}
