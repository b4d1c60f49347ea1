import Bytes
import DebugInfo
import Synchronization

/// Finds the caches and objects of SLUB.
final class SlabReader: Sendable {
  let memory: KernelMemory
  let pages: PageArray
  let layout: SlabLayout
  let flags: SlabFlags
  let perCPU: Lazy<PerCPU?>
  /// Who asked for objects, where caches keep that.
  let tracks: Lazy<UserTracks?>
  /// The nodes that a cache has parts for.
  let nodes: [Int]
  private let state = Mutex(State())

  private struct State {
    var caches: [UInt64: SlabCache?] = [:]
    var lists: [UInt64: CacheFreeLists] = [:]
    var slabs: [UInt64: SlabStates] = [:]
  }

  init(
    _ context: KernelContext, _ pages: PageArray, _ layout: SlabLayout, _ perCPU: Lazy<PerCPU?>,
    _ depot: Lazy<StackDepot?>
  ) {
    memory = context.memory
    self.pages = pages
    self.layout = layout
    self.perCPU = perCPU
    flags = SlabFlags(context.types.value)
    tracks = Lazy { UserTracks(context, depot.value) }
    // A cache has no more parts than there are nodes, whatever its type says.
    let most = min((layout.nodes?.size ?? 0) / layout.nodeStride, Limits.nodes)
    nodes = context.onlineNodes.filter { $0 < most }
  }

  /// The cache whose `struct kmem_cache` is at `address`; nil where that is none.
  func cache(at address: UInt64) -> SlabCache? {
    if let known = state.withLock({ $0.caches[address] }) { return known }
    let found = SlabCache(memory, layout, at: address)
    state.withLock { state in
      if state.caches.count >= Limits.caches { state.caches = [:] }
      state.caches[address] = .some(found)
    }
    return found
  }

  /// What `cache` keeps free outside its slabs.
  func freeLists(of cache: SlabCache) -> CacheFreeLists {
    if let known = state.withLock({ $0.lists[cache.address] }) { return known }
    let found = CacheFreeLists(cache, layout, memory, perCPU.value, nodes: nodes)
    state.withLock { state in
      if state.lists.count >= Limits.caches { state.lists = [:] }
      state.lists[cache.address] = found
    }
    return found
  }

  /// Which objects of a slab are free.
  func states(of slab: SlabPage, _ cache: SlabCache) -> SlabStates {
    if let known = state.withLock({ $0.slabs[slab.address] }) { return known }
    let found = SlabStates(slab, cache, freeLists(of: cache), memory)
    state.withLock { state in
      if state.slabs.count >= Limits.keptSlabs { state.slabs = [:] }
      state.slabs[slab.address] = found
    }
    return found
  }

  /// The slab whose first frame is `head`, and its cache; nil where either cannot be read.
  func slab(at head: UInt64, _ record: PageRecord, base: UInt64) -> (SlabPage, SlabCache)? {
    let address = pages.vmemmap.page(of: head)
    guard let cacheAt = StructView(space: memory, address: address).pointer(layout.cache),
      let cache = cache(at: cacheAt)
    else { return nil }
    let bytes = pages.byteCount(ofHead: head, record)
    return SlabPage(memory, layout, at: address, base: base, bytes: bytes, cache).map { ($0, cache) }
  }

  /// What is at `address` in the slab from `base` on, whose first frame is `head`.
  func place(of address: UInt64, head: UInt64, _ record: PageRecord, base: UInt64) -> SlabPlace {
    guard let (slab, cache) = slab(at: head, record, base: base) else {
      return .damaged("the slab at \(hex(pages.vmemmap.page(of: head))) or its cache cannot be read, or is damaged")
    }
    let index = Int((address &- base) / UInt64(cache.size))
    guard index < slab.count else {
      return .object(
        SlabObject(
          cache: cache, address: nil, index: nil, size: cache.objectSize, offset: 0, part: .remainder, isAllocated: nil,
          freeList: nil, problem: nil, tracks: []))
    }
    let states = states(of: slab, cache)
    let object = slab.object(index, cache)
    let offset = Int(Int64(bitPattern: address &- object))
    let isAllocated = states.isAllocated(index)
    return .object(
      SlabObject(
        cache: cache, address: object, index: index, size: cache.objectSize, offset: offset,
        part: part(at: offset, of: cache), isAllocated: isAllocated, freeList: states.free[index],
        problem: isAllocated == nil ? states.problem : nil,
        tracks: hasTracks(cache) ? tracks.value?.tracks(of: object, cache) ?? [] : []))
  }

  /// Whether `cache` keeps who asked for its objects.
  func hasTracks(_ cache: SlabCache) -> Bool { cache.flagBits & flags.mask("SLAB_STORE_USER") != 0 }

  /// What is `offset` bytes from the start of an object.
  private func part(at offset: Int, of cache: SlabCache) -> SlabObject.Part {
    if offset < 0 { return .redZone }
    if offset < cache.objectSize { return .object }
    if offset < cache.end { return cache.redLeftPad > 0 ? .redZone : .padding }
    return hasTracks(cache) || cache.freePointer..<cache.freePointer + 8 ~= offset ? .metadata : .padding
  }
}
