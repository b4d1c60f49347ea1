import Bytes

import DebugInfo

extension Kernel {
  /// The slab caches, each with how much of it is used.
  package var slabCaches: Listing<SlabSummary> { contents.slabs.summaries() }

  /// The slab caches whose name, or one of the names that were merged into it, `isNamed`.
  package func slabCaches(named isNamed: (String) -> Bool) -> [SlabCache] { contents.slabs.caches(named: isNamed) }

  /// The allocated objects of a slab cache by who asked for them, the most first.
  package func slabCallers(of cache: SlabCache) -> Listing<SlabCaller> { contents.slabs.callers(of: cache) }

  /// Calls `body` with all damage of a slab cache, in the order of addresses, until it returns false.
  ///
  /// - Returns: what is missing.
  package func forEachSlabDamage(of cache: SlabCache, _ body: (SlabListedDamage) -> Bool) -> [Diagnostic] {
    contents.slabs.forEachDamage(of: cache, body)
  }

  /// Calls `body` with each object of a slab cache, in the order of their addresses, until it returns false.
  ///
  /// - Returns: what is missing.
  package func forEachSlabObject(of cache: SlabCache, _ body: (SlabListedObject) -> Bool) -> [Diagnostic] {
    contents.slabs.forEachObject(of: cache, body)
  }
}
