import KernelVA
import Synchronization

/// A walk cache used by one thread at a time. A dump has several, so that threads seldom find all of them taken.
final class WalkLane: Sendable {
  private let caches = Mutex(Caches())

  private struct Caches {
    let kernel = WalkCache()
    /// The cache for the user space used last.
    var user: (regime: TranslationRegime, cache: WalkCache)?
  }

  /// Walks as `memory` does with the cache for `regime`; nil if another thread uses this lane.
  func walk(_ regime: TranslationRegime, _ address: VirtualAddress, in memory: any PhysicalMemory) -> WalkResult? {
    caches.withLockIfAvailable { caches in
      if regime.register == .ttbr1EL1 { return memory.walk(regime, address, cache: caches.kernel) }
      if let user = caches.user, user.regime == regime { return memory.walk(regime, address, cache: user.cache) }
      let cache = WalkCache()
      caches.user = (regime, cache)
      return memory.walk(regime, address, cache: cache)
    }
  }
}
