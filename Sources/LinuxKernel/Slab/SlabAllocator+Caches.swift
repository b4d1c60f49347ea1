import Bytes
import DebugInfo

extension SlabAllocator {
  /// All caches with their counts.
  func summaries() -> Listing<SlabSummary> {
    guard let slub else { return Listing(notes: [absence]) }
    var result = Listing<SlabSummary>()
    let list = caches.value
    result.note(list.notes)
    for cache in list.elements {
      let counts = slub.counts(of: cache, slabs: { self.census.value?.caches[cache.address] }) { result.note([$0]) }
      result.elements.append(
        SlabSummary(
          cache: cache, aliases: names(of: cache), flags: slub.flags.names(in: cache.flagBits), counts: counts))
    }
    return result
  }

  /// The names of the caches that were merged into `cache`, without its own.
  func names(of cache: SlabCache) -> [String] {
    (aliases.value[cache.address] ?? []).filter { $0 != cache.name }
  }

  /// The caches with a matching name, including names merged into others.
  func caches(named isNamed: (String) -> Bool) -> [SlabCache] {
    caches.value.elements.filter { isNamed($0.name) || names(of: $0).contains(where: isNamed) }
  }

  /// The first frame of each slab of `cache`.
  func frames(of cache: SlabCache) -> [UInt64] { census.value?.caches[cache.address]?.frames ?? [] }

  /// Calls `body` with each object of `cache`, in address order, until it returns false.
  ///
  /// - Returns: notes on what is missing.
  func forEachObject(of cache: SlabCache, _ body: (SlabListedObject) -> Bool) -> [Diagnostic] {
    forEachSlab(of: cache) { slab, states in
      (0..<slab.count).allSatisfy { index in
        body(
          SlabListedObject(
            cache: cache, address: slab.object(index, cache), index: index, isAllocated: states.isAllocated(index),
            freeList: states.free[index]))
      }
    }
  }

  /// Calls `body` with each slab of `cache` and the states of its objects until it returns false.
  ///
  /// - Returns: notes on what is missing.
  func forEachSlab(of cache: SlabCache, _ body: (SlabPage, SlabStates) -> Bool) -> [Diagnostic] {
    guard let slub, let census = census.value else { return [absence] }
    var notes = Listing<Never>()
    if census.isPartial {
      notes.note(
        .objectUnreadable, "struct page", text: "some page frames have no readable struct page: slabs may be missing")
    }
    for frame in census.caches[cache.address]?.frames ?? [] {
      guard let record = slub.pages.record(frame), let base = slub.pages.linearAddress(of: frame),
        let (slab, _) = slub.slab(at: frame, record, base: base)
      else {
        notes.note(
          .slabDamaged, cache.name, text: "\(cache.name): the slab in frame \(hex(frame)) cannot be read, or is damaged"
        )
        continue
      }
      let states = slub.states(of: slab, cache)
      if let problem = states.problem {
        notes.note(.slabDamaged, cache.name, text: "\(cache.name): slab at \(hex(base)): \(problem)")
      }
      guard body(slab, states) else { break }
    }
    return notes.notes
  }
}

/// An object of a cache, in a list of all.
package struct SlabListedObject: Sendable {
  /// The cache.
  package let cache: SlabCache
  /// Its address, after the left red zone.
  package let address: UInt64
  /// Its index in the slab.
  package let index: Int
  /// Whether it is allocated; nil if unknown.
  package let isAllocated: Bool?
  /// The list it is on, if it is free or about to be.
  package let freeList: FreeList?
}
