import Bytes
import DebugInfo

/// The free pages on the per-CPU lists of each zone, which the page allocator does not mark. (`struct per_cpu_pages`,
/// include/linux/mmzone.h)
struct PerCPUFreePages {
  private let memory: KernelMemory
  private let nodes: [UInt64]
  private let perCPU: PerCPU
  private let zones: TypeMember
  private let count: TypeMember
  private let size: Int
  private let set: TypeMember
  private let lists: TypeMember
  private let listsAt: Int
  private let link: TypeMember
  private let pageShift: Int

  /// MIGRATE_PCPTYPES: lists of each order.
  private static let types = 3
  /// PAGE_ALLOC_COSTLY_ORDER: the lists after that order hold huge pages.
  private static let mostOrder = 3
  /// The most free pages on one list: pcp->high is a few thousand.
  private static let pages = 1 << 20

  /// nil if the types are unknown.
  init?(_ context: KernelContext, _ perCPU: PerCPU, nodes: [UInt64]) {
    let types = context.types.value
    guard let zones = types.member("node_zones", of: "pglist_data"),
      let count = types.member("nr_zones", of: "pglist_data"), let size = types.size(of: "zone"),
      let set = types.member("per_cpu_pageset", "pageset", of: "zone"),
      let lists = types.member("lists", of: "per_cpu_pages"), lists.size >= 16,
      let link = types.member("pcp_list", "lru", of: "page")
    else { return nil }
    memory = context.memory
    self.nodes = nodes
    self.perCPU = perCPU
    self.zones = zones
    self.count = count
    self.size = size
    self.set = set
    self.lists = lists
    // Up to 5.13 it is inside `struct per_cpu_pageset`.
    let isOld = types.member("per_cpu_pageset", of: "zone") == nil
    listsAt = lists.offset + (isOld ? types.member("pcp", of: "per_cpu_pageset")?.offset ?? 0 : 0)
    self.link = link
    pageShift = context.regime.granule.pageShift
  }

  /// Calls `body` with the `struct page` of each block, its order and the CPU that has it.
  func forEach(_ body: (_ page: UInt64, _ order: Int, _ cpu: Int) -> Void) {
    for node in nodes {
      let number = StructView(space: memory, address: node).number(count) ?? 0
      for zone in 0..<min(number, 8) {
        let zone = StructView(space: memory, address: node &+ UInt64(zones.offset) &+ zone &* UInt64(size))
        guard let own = zone.number(set), own != 0 else { continue }
        for (cpu, offset) in perCPU.offsets.enumerated() {
          for list in 0..<min(lists.size / 16, 64) {
            let head = own &+ offset &+ UInt64(listsAt + list * 16)
            let order = list < Self.types * (Self.mostOrder + 1) ? list / Self.types : pageShift - 3
            for element in memory.list(at: head, named: "per_cpu_pages", limit: Self.pages).elements {
              body(element &- UInt64(link.offset), order, cpu)
            }
          }
        }
      }
    }
  }
}
