import Bytes

/// Damage in a slab, and the object that it is at.
package struct SlabListedDamage: Sendable {
  /// The cache.
  package let cache: SlabCache
  /// What was overwritten.
  package let damage: SlabDamage
  /// The object; nil after the last one of a slab.
  package let object: SlabListedObject?
  /// Its allocation and free tracks, if the kernel keeps them.
  package let tracks: [SlabTrack]
}

extension SlabAllocator {
  /// Calls `body` with all damage of `cache`, in address order, until it returns false.
  ///
  /// - Returns: notes on what is missing.
  func forEachDamage(of cache: SlabCache, _ body: (SlabListedDamage) -> Bool) -> [Diagnostic] {
    guard let slub else { return [absence] }
    return forEachSlab(of: cache) { slab, states in
      if slub.damage.checks(cache) || !states.broken.isEmpty {
        for index in 0..<slab.count {
          let address = slab.object(index, cache)
          let isAllocated = states.isAllocated(index)
          let found = slub.damage(of: address, cache, states, isAllocated)
          guard !found.isEmpty else { continue }
          let object = SlabListedObject(
            cache: cache, address: address, index: index, isAllocated: isAllocated, freeList: states.free[index])
          let tracks = slub.tracks(of: address, cache)
          for damage in found.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            guard body(SlabListedDamage(cache: cache, damage: damage, object: object, tracks: tracks)) else {
              return false
            }
          }
        }
      }
      guard let damage = slub.damage.damage(behindLast: slab, cache) else { return true }
      return body(SlabListedDamage(cache: cache, damage: damage, object: nil, tracks: []))
    }
  }
}
