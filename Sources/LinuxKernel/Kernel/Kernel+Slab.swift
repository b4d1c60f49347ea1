import Bytes

import DebugInfo

extension Kernel {
  /// The slab caches, each with its object counts.
  package var slabCaches: Listing<SlabSummary> { contents.slabs.summaries() }

  /// The slab caches whose name, or one of the names that were merged into it, `isNamed`.
  package func slabCaches(named isNamed: (String) -> Bool) -> [SlabCache] { contents.slabs.caches(named: isNamed) }

  /// The allocated objects of a slab cache grouped by call trace, the largest group first.
  package func slabCallers(of cache: SlabCache) -> Listing<SlabCaller> { contents.slabs.callers(of: cache) }

  /// Calls `body` with all damage of a slab cache, in address order, until it returns false.
  ///
  /// - Returns: notes on what is missing.
  package func forEachSlabDamage(of cache: SlabCache, _ body: (SlabListedDamage) -> Bool) -> [Diagnostic] {
    contents.slabs.forEachDamage(of: cache, body)
  }

  /// Calls `body` with each object of a slab cache, in address order, until it returns false.
  ///
  /// - Returns: notes on what is missing.
  package func forEachSlabObject(of cache: SlabCache, _ body: (SlabListedObject) -> Bool) -> [Diagnostic] {
    contents.slabs.forEachObject(of: cache, body)
  }
}
