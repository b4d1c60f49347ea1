import Bytes
import DebugInfo
import Synchronization

/// Reads the caches and objects of SLUB and SLAB.
final class SlabReader: Sendable {
  let memory: KernelMemory
  let pages: PageArray
  let layout: SlabLayout
  let flags: SlabFlags
  let perCPU: Lazy<PerCPU?>
  /// Allocation tracks, of caches that keep them.
  let tracks: Lazy<UserTracks?>
  /// Finds overwritten bytes.
  let damage: SlabDamageFinder
  /// The nodes for which a cache may have a `struct kmem_cache_node`.
  let nodes: [Int]
  private let kasan: Lazy<KASANTracks?>
  private let cgroups: Lazy<MemoryCgroups?>
  private let state = Mutex(State())

  private struct State {
    var caches: [UInt64: SlabCache?] = [:]
    var lists: [UInt64: CacheFreeLists] = [:]
    var slabs: [UInt64: SlabStates] = [:]
  }

  init(
    _ context: KernelContext, _ pages: PageArray, _ layout: SlabLayout, _ perCPU: Lazy<PerCPU?>,
    _ depot: Lazy<StackDepot?>, _ cgroups: Lazy<MemoryCgroups?>
  ) {
    memory = context.memory
    self.pages = pages
    self.layout = layout
    self.perCPU = perCPU
    flags = SlabFlags(context.types.value)
    damage = SlabDamageFinder(context, flags, isSLAB: layout.array != nil)
    tracks = Lazy { UserTracks(context, depot.value) }
    kasan = Lazy { KASANTracks(context, depot.value) }
    self.cgroups = cgroups
    // A cache has at most one per node, whatever its type says.
    let most = min((layout.nodes?.size ?? 0) / layout.nodeStride, Limits.nodes)
    nodes = context.onlineNodes.filter { $0 < most }
  }

  /// The cache whose `struct kmem_cache` is at `address`; nil if it is not one.
  func cache(at address: UInt64) -> SlabCache? {
    if let known = state.withLock({ $0.caches[address] }) { return known }
    let found = SlabCache(memory, layout, at: address)
    state.withLock { state in
      if state.caches.count >= Limits.caches { state.caches = [:] }
      state.caches[address] = .some(found)
    }
    return found
  }

  /// The free objects of `cache` outside its slabs' own lists.
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
    let found = SlabStates(slab, cache, freeLists(of: cache), memory, layout.array)
    state.withLock { state in
      if state.slabs.count >= Limits.keptSlabs { state.slabs = [:] }
      state.slabs[slab.address] = found
    }
    return found
  }

  /// The slab whose first frame is `head`, and its cache; nil if either cannot be read.
  func slab(at head: UInt64, _ record: PageRecord, base: UInt64) -> (SlabPage, SlabCache)? {
    let address = pages.vmemmap.page(of: head)
    guard let cacheAt = StructView(space: memory, address: address).pointer(layout.cache),
      let cache = cache(at: cacheAt)
    else { return nil }
    let bytes = pages.byteCount(ofHead: head, record)
    return SlabPage(memory, layout, at: address, base: base, bytes: bytes, cache).map { ($0, cache) }
  }

  /// What is at `address` in the slab at `base`, whose first frame is `head`.
  func place(of address: UInt64, head: UInt64, _ record: PageRecord, base: UInt64) -> SlabPlace {
    guard let (slab, cache) = slab(at: head, record, base: base) else {
      return .damaged("the slab at \(hex(pages.vmemmap.page(of: head))) or its cache cannot be read, or is damaged")
    }
    guard let index = slab.index(at: address, cache) else {
      return .object(
        SlabObject(
          cache: cache, address: nil, index: nil, size: cache.objectSize, offset: 0, part: .remainder, isAllocated: nil,
          freeList: nil, problem: nil, tracks: [], cgroup: nil,
          damage: [damage.damage(behindLast: slab, cache)].compactMap { $0 }))
    }
    let states = states(of: slab, cache)
    let object = slab.object(index, cache)
    let offset = Int(Int64(bitPattern: address &- object))
    let isAllocated = states.isAllocated(index)
    return .object(
      SlabObject(
        cache: cache, address: object, index: index, size: cache.objectSize, offset: offset,
        part: part(at: offset, of: cache, isLast: index == slab.count - 1), isAllocated: isAllocated,
        freeList: states.free[index], problem: isAllocated == nil ? states.problem : nil,
        tracks: tracks(of: object, cache), cgroup: cgroup(of: index, slab, cache),
        damage: damage(of: object, cache, states, isAllocated)))
  }

  /// The tracks of the object at `address`, if its cache keeps them.
  func tracks(of address: UInt64, _ cache: SlabCache) -> [SlabTrack] {
    if hasTracks(cache) { return tracks.value?.tracks(of: address, cache) ?? [] }
    return kasan.value?.tracks(of: address, cache) ?? []
  }

  /// The memory cgroup that object `index` is charged to; nil if it is charged to none.
  private func cgroup(of index: Int, _ slab: SlabPage, _ cache: SlabCache) -> String? {
    let page = StructView(space: memory, address: slab.address)
    guard let word = page.number(layout.extensions), case let vector = memory.untagged(word & ~7), vector >> 55 == 0x1ff
    else { return nil }
    let own = page.number(layout.ownStride).flatMap { $0 == 0 ? nil : Int(clamping: $0) }
    let stride = page.number(layout.areInObjects) == 1 ? cache.size : own ?? layout.extensionStride
    let place = vector &+ UInt64(index) &* UInt64(stride) &+ UInt64(layout.extensionGroup)
    return memory.word(at: place).flatMap { group in cgroups.value?.path(chargedTo: group) }
  }

  /// The damage of the object at `address`.
  func damage(of address: UInt64, _ cache: SlabCache, _ states: SlabStates, _ isAllocated: Bool?) -> [SlabDamage] {
    var found = damage.damage(of: address, cache, isAllocated: isAllocated)
    if states.broken.contains(address), let own = damage.damage(ofPointerAt: address &+ UInt64(cache.freePointer)) {
      found.append(own)
    }
    return found
  }

  /// Whether `cache` keeps tracks (SLAB_STORE_USER).
  func hasTracks(_ cache: SlabCache) -> Bool { cache.flagBits & flags.mask("SLAB_STORE_USER") != 0 }

  /// The part that is `offset` bytes from the start of an object.
  private func part(at offset: Int, of cache: SlabCache, isLast: Bool) -> SlabObject.Part {
    if offset < 0 { return .redZone }
    if offset < cache.objectSize { return .object }
    if offset < cache.end { return cache.redLeftPad > 0 ? .redZone : .padding }
    // The end of the slot is the left red zone of the next object.
    if offset >= cache.size - cache.redLeftPad { return isLast ? .remainder : .redZone }
    return hasTracks(cache) || cache.freePointer..<cache.freePointer + 8 ~= offset ? .metadata : .padding
  }
}
