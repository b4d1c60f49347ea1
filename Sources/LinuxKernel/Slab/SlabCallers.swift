import Bytes
import DebugInfo

/// The allocated objects of a cache from one call trace.
package struct SlabCaller: Sendable {
  /// The cache.
  package let cache: SlabCache
  /// The return addresses, innermost first.
  package let frames: [UInt64]
  /// The number of objects.
  package internal(set) var count = 0
}

extension SlabAllocator {
  /// The allocated objects of `cache` grouped by call trace, the largest group first.
  ///
  /// - Returns: only notes if the cache does not track allocations.
  func callers(of cache: SlabCache) -> Listing<SlabCaller> {
    guard let slub else { return Listing(notes: [absence]) }
    guard slub.hasTracks(cache), let reader = slub.tracks.value else {
      return Listing(notes: [
        Diagnostic(
          .notTracked, cache.name,
          "\(cache.name) does not keep who asked for its objects (SLAB_STORE_USER, slub_debug=U)")
      ])
    }
    var found: [[UInt64]: SlabCaller] = [:]
    var unknown = 0
    var result = Listing<SlabCaller>()
    result.notes = forEachObject(of: cache) { object in
      guard object.isAllocated == true else { return true }
      if let track = reader.tracks(of: object.address, cache).first(where: { $0.kind == .alloc }) {
        found[track.frames, default: SlabCaller(cache: cache, frames: track.frames)].count += 1
      } else {
        unknown += 1
      }
      return found.count < Limits.callers
    }
    if unknown > 0 {
      result.note(
        .objectUnreadable, cache.name, text: "\(cache.name): of \(unknown) objects it cannot be read who asked for them"
      )
    }
    if found.count >= Limits.callers {
      result.note(
        .notesOmitted, text: "\(cache.name): more callers than \(Limits.callers) are left out")
    }
    result.elements = found.values.sorted { ($1.count, $0.frames.first ?? 0) < ($0.count, $1.frames.first ?? 0) }
    return result
  }
}
