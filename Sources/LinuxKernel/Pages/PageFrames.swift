import Bytes
import DebugInfo
import VMSA

/// A page frame as its `struct page` describes it.
package struct FrameState: Sendable {
  /// The page frame number.
  package let frame: UInt64
  /// The address of its `struct page`.
  package let structure: UInt64
  /// What it is used for; nil if unknown.
  package let use: PageUse?
  /// Its owner, for messages; nil if it has none, or that is unknown.
  package let owner: String?
  /// The zone that it is in, such as "DMA" or "Normal".
  package let zone: String?

  /// The same frame with another use and owner.
  func used(as use: PageUse, by owner: String?) -> FrameState {
    FrameState(frame: frame, structure: structure, use: use, owner: owner, zone: zone)
  }
}

/// Finds and interprets the `struct page` of frames.
struct PageFrames: Sendable {
  let space: KernelMemory
  let vmcoreinfo: VMCoreInfo
  let types: KernelTypes
  let symbols: KernelSymbols
  let vmemmap: Vmemmap
  let freePages: FreePages?

  /// nil if the location of the page array is unknown.
  init?(_ context: KernelContext, _ arithmetic: Arithmetic) {
    guard let vmcoreinfo = context.vmcoreinfo, let vmemmap = context.vmemmap(arithmetic) else { return nil }
    self.vmemmap = vmemmap
    freePages = FreePages(context.memory, vmemmap, vmcoreinfo)
    space = context.memory
    self.vmcoreinfo = vmcoreinfo
    types = context.types.value
    symbols = context.symbols
  }

  /// The frame that the `struct page` at or around `address` describes.
  func frame(ofPage address: UInt64) -> UInt64 { vmemmap.frame(of: address) }

  /// The address of the `struct page` of `frame`.
  func structure(ofFrame frame: UInt64) -> UInt64 { vmemmap.page(of: frame) }

  /// The state of `frame`; nil if its `struct page` cannot be read.
  func state(ofFrame frame: UInt64) -> FrameState? {
    guard space.word(at: structure(ofFrame: frame) & ~7) != nil else { return nil }
    let isOffline = hasType(frame, "PAGE_OFFLINE_MAPCOUNT_VALUE")
    return FrameState(
      frame: frame, structure: structure(ofFrame: frame), use: isOffline ? .other : use(ofFrame: frame),
      owner: isOffline ? "offline" : nil, zone: zone(ofFrame: frame))
  }

  private func field(_ frame: UInt64, _ name: String) -> UInt64? {
    guard let offset = vmcoreinfo.offset("page.\(name)") else { return nil }
    return space.word(at: structure(ofFrame: frame) &+ UInt64(offset))
  }

  private func hasType(_ frame: UInt64, _ name: String) -> Bool {
    guard let offset = vmcoreinfo.offset("page._mapcount"), let value = vmcoreinfo.number(name),
      let word = space.integer(UInt32.self, at: structure(ofFrame: frame) &+ UInt64(offset))
    else { return false }
    return PageType(value).matches(word)
  }

  private func use(ofFrame frame: UInt64) -> PageUse? {
    if freePages?.isFree(frame) ?? false { return .free }
    var head = frame
    if let link = field(frame, "compound_head") ?? field(frame, "compound_info"), link & 1 == 1 {
      head = self.frame(ofPage: link - 1)
    }
    if hasType(head, "PAGE_SLAB_MAPCOUNT_VALUE") { return .slab }
    if let bit = vmcoreinfo.number("PG_slab"), bit < 32, let flags = field(head, "flags"), flags >> bit & 1 == 1 {
      return .slab
    }
    if hasType(head, "PAGE_HUGETLB_MAPCOUNT_VALUE") { return .huge }
    return nil
  }

  /// The zone whose span, on any node, includes the frame; nil if two with different names do.
  private func zone(ofFrame frame: UInt64) -> String? {
    func node(_ name: String) -> UInt64? { types.member(name, of: "pglist_data").map { UInt64($0.offset) } }
    guard let zones = node("node_zones"), let countAt = node("nr_zones"), let size = types.size(of: "zone"),
      let start = types.member("zone_start_pfn", of: "zone"), let spanned = types.member("spanned_pages", of: "zone"),
      let name = types.member("name", of: "zone")
    else { return nil }
    var names: Set<String> = []
    for node in nodes {
      guard let count = space.integer(UInt32.self, at: node &+ countAt), count <= 8 else { continue }
      for number in 0..<UInt64(count) {
        let zone = StructView(space: space, address: node &+ zones &+ number &* UInt64(size))
        guard let first = zone.number(start), let length = zone.number(spanned), frame &- first < length,
          let text = zone.number(name).flatMap({ space.string(at: $0, limit: 32) })
        else { continue }
        names.insert(text)
      }
    }
    return names.count == 1 ? names.first : nil
  }

  /// The `struct pglist_data` of each node: `contig_page_data` if the kernel supports only one, else those that
  /// `node_data` points at. (mm/mm_init.c; mm/numa.c, before 6.12 arch/arm64/mm/numa.c)
  var nodes: [UInt64] {
    if let only = vmcoreinfo.symbol("contig_page_data") { return [only] }
    guard let table = symbols.symbol(named: "node_data")?.address,
      let numberAt = types.member("node_id", of: "pglist_data")
    else { return symbols.symbol(named: "contig_page_data").map { [$0.address] } ?? [] }
    // MAX_NUMNODES, the number of bits of a nodemask_t; what follows the table is something else.
    let most = vmcoreinfo.length("node_data") ?? min(vmcoreinfo.size("nodemask_t") ?? 8, 128) * 8
    return (0..<UInt64(max(0, min(most, Limits.nodes)))).compactMap { number in
      guard let node = space.pointer(at: table &+ number &* 8), node != 0,
        let own = space.integer(UInt32.self, at: node &+ UInt64(numberAt.offset)), own == UInt32(number)
      else { return nil }
      return node
    }
  }
}
