import Bytes

/// Which objects of a slab are free, from every list that may hold them.
struct SlabStates: Sendable {
  /// The lists that objects are on: those free, and those about to be.
  private(set) var free: [Int: FreeList] = [:]
  /// Why the state of the other objects is unknown; nil if they are all allocated.
  private(set) var problem: String?
  /// The objects whose free pointers are invalid or close a cycle.
  private(set) var broken: Set<UInt64> = []

  init(
    _ slab: SlabPage, _ cache: SlabCache, _ lists: CacheFreeLists, _ memory: KernelMemory, _ array: SlabArrayLayout?
  ) {
    problem = lists.problem
    let own =
      array.map { slab.freeIndices($0, memory) } ?? slab.walk(from: slab.freelist, cache, memory)
    for index in own.indices { free[index] = .slab }
    if let damage = own.damage {
      problem = damage.text(of: "its slab")
      damage.object.map { _ = broken.insert($0) }
    } else if own.indices.count != slab.count - slab.inUse {
      // Objects on a CPU's list count as in use.
      let damage = FreeChain.Damage.count(found: own.indices.count, expected: slab.count - slab.inUse)
      problem = damage.text(of: "its slab")
    }
    for active in lists.active where active.slab == slab.address {
      let chain = slab.walk(from: active.first, cache, memory)
      for index in chain.indices { free[index] = .cpu(active.cpu) }
      if let damage = chain.damage {
        problem = damage.text(of: "CPU \(active.cpu)")
        damage.object.map { _ = broken.insert($0) }
      }
    }
    guard !lists.inSheaves.isEmpty else { return }
    // SLAB's arrays have the places of objects from their red zones on.
    let before = UInt64(array == nil ? 0 : cache.redLeftPad)
    for index in 0..<slab.count {
      if let list = lists.inSheaves[slab.object(index, cache) &- before] { free[index] = list }
    }
  }

  /// Whether object `index` is allocated; nil if unknown.
  func isAllocated(_ index: Int) -> Bool? {
    free[index].map(\.isPending) ?? (problem == nil ? true : nil)
  }
}
