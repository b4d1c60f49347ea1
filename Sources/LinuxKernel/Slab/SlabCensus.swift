import Bytes
import DebugInfo

/// The slabs of all caches, found by scanning all page frames: full slabs are on no list.
struct SlabCensus: Sendable {
  /// The slabs of one cache.
  struct Slabs: Sendable {
    /// The first frame of each slab.
    var frames: [UInt64] = []
    /// The number of all their objects.
    var objects = 0
  }

  /// The slabs by the address of the cache.
  private(set) var caches: [UInt64: Slabs] = [:]
  /// Whether the `struct page` of some frame could not be read.
  private(set) var isPartial = false

  /// - Parameter isKfence: whether an address is in the KFENCE pool, whose pages are marked as slabs.
  init(_ frames: [Range<UInt64>], _ reader: SlabReader, isKfence: (UInt64) -> Bool) {
    let pages = reader.pages
    for range in frames {
      pages.forEachFrame(range) { frame, record in
        guard let record else {
          isPartial = true
          return true
        }
        // Skip tail pages; a list pointer in the same word is even.
        guard record.compound & 1 == 0, pages.isSlab(record) else { return true }
        if let address = pages.linearAddress(of: frame), isKfence(address) { return true }
        let page = StructView(space: pages.memory, address: pages.vmemmap.page(of: frame))
        guard let cache = page.pointer(reader.layout.cache),
          let count = reader.layout.objects == nil
            ? reader.cache(at: cache)?.perSlab.map(UInt64.init) : page.number(reader.layout.objects),
          count <= 0x7fff
        else {
          return true
        }
        caches[cache, default: Slabs()].frames.append(frame)
        caches[cache, default: Slabs()].objects += Int(count)
        return true
      }
    }
  }
}
