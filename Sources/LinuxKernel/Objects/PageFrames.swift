import Bytes
import DebugInfo
import VMSA

/// What the kernel's `struct page` says of a page frame.
public struct FrameState: Sendable {
  /// The frame: its physical address over the page size.
  public let frame: UInt64
  /// Where its `struct page` is.
  public let structure: UInt64
  /// "free", "slab", "hugetlb", "offline", or nil: in use, or not known.
  public let use: String?
  /// The zone that it is in, such as "DMA" or "Normal".
  public let zone: String?
}

/// Finds the `struct page` of frames and what they say.
struct PageFrames: Sendable {
  let space: KernelMemory
  let vmcoreinfo: VMCoreInfo
  let types: KernelTypes
  let symbols: KernelSymbols
  let pageShift: UInt64
  /// `vmemmap`: where the `struct page` of frame 0 would be, modulo 2^64.
  let base: UInt64
  let size: UInt64

  /// nil where the dump does not tell where the pages are described.
  init?(_ kernel: Kernel) {
    guard let vmcoreinfo = kernel.vmcoreinfo else { return nil }
    let size = UInt64(vmcoreinfo.size("page") ?? 64)
    guard (32...256).contains(size) else { return nil }
    let shift = UInt64(kernel.regime.granule.pageShift)
    if let told = vmcoreinfo.symbol("vmemmap") {
      // VMCOREINFO has the value itself since 6.9 (d3246b6ee42a).
      base = told
    } else if let variable = kernel.symbols.symbol(named: "vmemmap")?.address,
      let value = kernel.space.word(at: variable)
    {
      // A variable from 5.4 to 5.9 (c8b6d2ccf9b1).
      base = value
    } else if let start = kernel.layout.layout?.vmemmap.start, let offset = kernel.facts.physOffset?.value {
      let frames = UInt64(bitPattern: Int64(bitPattern: offset) >> Int64(shift))
      base = start &- frames &* size
    } else {
      return nil
    }
    space = kernel.space
    self.vmcoreinfo = vmcoreinfo
    types = kernel.types
    symbols = kernel.symbols
    pageShift = shift
    self.size = size
  }

  /// The frame that the `struct page` at or around `address` describes.
  func frame(ofPage address: UInt64) -> UInt64 { (address &- base) / size }

  /// Where the `struct page` of `frame` is.
  func structure(ofFrame frame: UInt64) -> UInt64 { base &+ frame &* size }

  /// What the kernel says of `frame`; nil where its `struct page` cannot be read.
  func state(ofFrame frame: UInt64) -> FrameState? {
    guard space.word(at: structure(ofFrame: frame) & ~7) != nil else { return nil }
    return FrameState(
      frame: frame, structure: structure(ofFrame: frame), use: use(ofFrame: frame), zone: zone(ofFrame: frame))
  }

  private func field(_ frame: UInt64, _ name: String) -> UInt64? {
    guard let offset = vmcoreinfo.offset("page.\(name)") else { return nil }
    return space.word(at: structure(ofFrame: frame) &+ UInt64(offset))
  }

  /// The type that the kernel keeps where `_mapcount` is. (include/linux/page-flags.h, PAGE_TYPE_OPS)
  private func hasType(_ frame: UInt64, _ name: String) -> Bool {
    guard let offset = vmcoreinfo.offset("page._mapcount"), let value = vmcoreinfo.number(name),
      let type = space.integer(UInt32.self, at: structure(ofFrame: frame) &+ UInt64(offset))
    else { return false }
    let wanted = UInt32(truncatingIfNeeded: value)
    // Since 6.12 a type is a number in the top byte, before it is a bit that is clear.
    if wanted & 0x00ff_ffff == 0 { return type >> 24 == wanted >> 24 }
    return type >> 28 == 0xf && type & ~wanted == 0
  }

  private func use(ofFrame frame: UInt64) -> String? {
    // Of a free block only the first page says so, and how large it is.
    for order in 0..<UInt64(16) {
      let head = frame & ~(1 << order - 1)
      if hasType(head, "PAGE_BUDDY_MAPCOUNT_VALUE"), let size = field(head, "private"), size >= order, size < 16 {
        return "free"
      }
    }
    var head = frame
    if let link = field(frame, "compound_head") ?? field(frame, "compound_info"), link & 1 == 1 {
      head = self.frame(ofPage: link - 1)
    }
    if hasType(head, "PAGE_SLAB_MAPCOUNT_VALUE") { return "slab" }
    if let bit = vmcoreinfo.number("PG_slab"), bit < 32, let flags = field(head, "flags"), flags >> bit & 1 == 1 {
      return "slab"
    }
    if hasType(head, "PAGE_HUGETLB_MAPCOUNT_VALUE") { return "hugetlb" }
    if hasType(frame, "PAGE_OFFLINE_MAPCOUNT_VALUE") { return "offline" }
    return nil
  }

  /// The zone by the frames that each spans, of all nodes; nil where two with different names span it.
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

  /// The `struct pglist_data` of each node: `contig_page_data` on a kernel for machines of one, else those that
  /// `node_data` points at. (mm/mm_init.c; mm/numa.c, before 6.12 arch/arm64/mm/numa.c)
  private var nodes: [UInt64] {
    if let only = vmcoreinfo.symbol("contig_page_data") { return [only] }
    guard let table = symbols.symbol(named: "node_data")?.address,
      let numberAt = types.member("node_id", of: "pglist_data")
    else { return symbols.symbol(named: "contig_page_data").map { [$0.address] } ?? [] }
    // MAX_NUMNODES, which a nodemask_t has a bit for; what stands behind the table has other numbers.
    let most = vmcoreinfo.length("node_data") ?? min(vmcoreinfo.size("nodemask_t") ?? 8, 128) * 8
    return (0..<UInt64(max(0, min(most, Limits.nodes)))).compactMap { number in
      guard let node = space.word(at: table &+ number &* 8), node != 0,
        let own = space.integer(UInt32.self, at: node &+ UInt64(numberAt.offset)), own == UInt32(number)
      else { return nil }
      return node
    }
  }
}
