import Bytes
import DebugInfo

/// Finds the list of all slab caches, which is not exported.
struct SlabCacheList {
  let memory: KernelMemory
  let layout: SlabLayout
  let symbols: KernelSymbols

  /// Entries of `kmalloc_caches` that are tried: it has a few kinds of caches for some 14 sizes each.
  private static let kmallocCaches: UInt64 = 512

  /// The caches, the newest first.
  ///
  /// - Parameter other: the address of some cache, called if no symbol leads to one.
  func all(_ other: () -> UInt64?) -> Listing<UInt64> {
    if let head = symbols.symbol(named: "slab_caches")?.address {
      return list(at: head)
    }
    guard let known = exportedCache ?? other() else {
      return Listing(notes: [
        Diagnostic(.symbolUnknown, "slab_caches", "neither slab_caches nor kmalloc_caches is known")
      ])
    }
    // The one link of the ring that is not in a cache is the head, which is in the image.
    let ring = memory.list(at: known &+ UInt64(layout.list.offset), named: "of slab caches", limit: Limits.caches)
    guard let head = ring.elements.first(where: { memory.image.contains($0) }) else {
      return Listing(
        notes: ring.notes.isEmpty
          ? [Diagnostic(.listBroken, "slab_caches", "the list of slab caches has no head: it is damaged")] : ring.notes)
    }
    return list(at: head)
  }

  private func list(at head: UInt64) -> Listing<UInt64> {
    var result = memory.list(at: head, named: "slab_caches", limit: Limits.caches)
    result.elements = result.elements.map { $0 &- UInt64(layout.list.offset) }
    return result
  }

  /// A kmalloc cache; `kmalloc_caches` is exported to modules.
  private var exportedCache: UInt64? {
    guard let table = symbols.symbol(named: "kmalloc_caches")?.address else { return nil }
    return (0..<Self.kmallocCaches).lazy.compactMap { memory.pointer(at: table &+ $0 &* 8) }
      .first { $0 != 0 && SlabCache(memory, layout, at: $0) != nil }
  }
}
