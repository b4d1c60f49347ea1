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
  let space: KernelSpace
  let vmcoreinfo: VMCoreInfo
  let types: KernelTypes
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

  /// The zone by the frames that each spans, on a machine of one node.
  private func zone(ofFrame frame: UInt64) -> String? {
    guard let node = vmcoreinfo.symbol("contig_page_data"), let zones = vmcoreinfo.offset("pglist_data.node_zones"),
      let countAt = vmcoreinfo.offset("pglist_data.nr_zones"), let size = vmcoreinfo.size("zone"),
      let count = space.integer(UInt32.self, at: node &+ UInt64(countAt)), count <= 8,
      let start = types.member("zone_start_pfn", of: "zone"), let spanned = types.member("spanned_pages", of: "zone"),
      let name = types.member("name", of: "zone")
    else { return nil }
    for number in 0..<UInt64(count) {
      let zone = KernelObject(space: space, address: node &+ UInt64(zones) &+ number &* UInt64(size))
      guard let first = zone.number(start), let length = zone.number(spanned), frame &- first < length,
        let text = zone.number(name)
      else { continue }
      return space.string(at: text, limit: 32)
    }
    return nil
  }
}
