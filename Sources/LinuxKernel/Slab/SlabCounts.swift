import Bytes
import DebugInfo

/// How much of a cache is used.
package struct SlabCounts: Sendable {
  /// The number of all objects.
  package internal(set) var objects = 0
  /// Active objects as /proc/slabinfo counts them: all but the free ones of the nodes' partial slabs.
  package internal(set) var active = 0
  /// Objects that are allocated; nil if a free list is damaged or cannot be read.
  package internal(set) var allocated: Int?
  /// The number of slabs.
  package internal(set) var slabs = 0
}

/// A slab cache as the list of caches shows it.
package struct SlabSummary: Sendable {
  /// The cache.
  package let cache: SlabCache
  /// The names of the caches that were merged into it, without its own.
  package let aliases: [String]
  /// Its flags by name.
  package let flags: [String]
  /// How much of it is used.
  package let counts: SlabCounts
}

extension SlabReader {
  /// Counts the objects of a cache.
  ///
  /// - Parameters:
  ///   - slabs: its slabs, called only if the kernel does not count them (CONFIG_SLUB_DEBUG).
  ///   - note: called for each thing that is damaged.
  func counts(of cache: SlabCache, slabs: () -> SlabCensus.Slabs?, note: (Diagnostic) -> Void) -> SlabCounts {
    var counts = SlabCounts()
    var free = 0
    var isWhole = true
    func damaged(_ text: String) {
      isWhole = false
      note(Diagnostic(.slabDamaged, cache.name, "\(cache.name): \(text)"))
    }
    let parts = nodes.compactMap { node(of: cache, $0) }
    if let array = layout.array {
      for part in parts {
        counts.slabs += Int(min(part.number(layout.slabCount) ?? 0, 1 << 32))
        free += Int(min(part.number(array.freeObjects) ?? 0, 1 << 40))
      }
      counts.objects = counts.slabs &* (cache.perSlab ?? 0)
      counts.active = max(0, counts.objects - free)
      let lists = freeLists(of: cache)
      if let problem = lists.problem { damaged(problem) }
      free += lists.inSheaves.count
      if isWhole, free <= counts.objects { counts.allocated = counts.objects - free }
      return counts
    }
    if layout.slabCount != nil, layout.objectCount != nil {
      for part in parts {
        counts.slabs += Int(min(part.number(layout.slabCount) ?? 0, 1 << 40))
        counts.objects += Int(min(part.number(layout.objectCount) ?? 0, 1 << 40))
      }
    } else if let slabs = slabs() {
      counts.slabs = slabs.frames.count
      counts.objects = slabs.objects
    }
    func add(_ slab: UInt64) {
      guard let (page, chain) = freeChain(ofSlab: slab, cache) else {
        return damaged("the slab at \(hex(slab)) cannot be read, or is none of the cache")
      }
      free += chain.indices.count
      if let damage = chain.damage {
        damaged(damage.text(of: "the slab at \(hex(page.base))"))
      }
    }
    if let partial = layout.partial, let link = layout.link {
      for part in parts {
        let list = memory.list(at: part.address &+ UInt64(partial.offset), named: "partial", limit: Limits.partialSlabs)
        for reason in list.notes { damaged(reason.text) }
        for element in list.elements { add(element &- UInt64(link.offset)) }
      }
    } else {
      isWhole = false
    }
    counts.active = max(0, counts.objects - free)
    let lists = freeLists(of: cache)
    if let problem = lists.problem { damaged(problem) }
    for active in lists.active {
      guard let (page, own) = freeChain(ofSlab: active.slab, cache) else {
        damaged("the slab of CPU \(active.cpu) at \(hex(active.slab)) cannot be read, or is none of the cache")
        continue
      }
      let chain = page.walk(from: active.first, cache, memory)
      free += own.indices.count + chain.indices.count
      if let damage = own.damage {
        damaged(damage.text(of: "the slab at \(hex(page.base))"))
      }
      if let damage = chain.damage { damaged(damage.text(of: "CPU \(active.cpu)")) }
    }
    for first in lists.partial {
      var seen: Set<UInt64> = []
      var here = first
      while here != 0, isWhole {
        guard seen.insert(here).inserted, seen.count < Limits.partialSlabs else {
          damaged("a CPU's list of partial slabs runs in a circle at \(hex(here))")
          break
        }
        add(here)
        here = StructView(space: memory, address: here).pointer(layout.next) ?? 0
      }
    }
    free += lists.inSheaves.values.count { !$0.isPending }
    if isWhole, free <= counts.objects { counts.allocated = counts.objects - free }
    return counts
  }

  /// The `struct kmem_cache_node` of `cache` on a node; nil if there is none.
  private func node(of cache: SlabCache, _ number: Int) -> StructView? {
    guard let nodes = layout.nodes,
      let part = memory.pointer(
        at: cache.address &+ UInt64(nodes.offset + number * layout.nodeStride + layout.nodeOffset)), part != 0
    else { return nil }
    return StructView(space: memory, address: part)
  }

  /// The slab whose `struct slab` is at `address`, and its own free list, whose length must match the slab's count; nil
  /// if the slab is not of `cache`.
  private func freeChain(ofSlab address: UInt64, _ cache: SlabCache) -> (SlabPage, FreeChain)? {
    guard let frame = pages.frame(at: address), let base = pages.linearAddress(of: frame),
      let record = pages.record(frame), pages.isSlab(record), let (slab, own) = slab(at: frame, record, base: base),
      own == cache
    else { return nil }
    var chain = slab.walk(from: slab.freelist, cache, memory)
    if chain.damage == nil, chain.indices.count != slab.count - slab.inUse {
      chain.damage = .count(found: chain.indices.count, expected: slab.count - slab.inUse)
    }
    return (slab, chain)
  }
}
