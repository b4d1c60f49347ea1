import Bytes
import DebugInfo
import VMSA

/// The kernel's slab allocator, SLUB or SLAB, located on first use.
final class SlabAllocator: Sendable {
  private let context: KernelContext
  private let pages: Lazy<PageArray?>
  private let found: Lazy<SlabReader?>
  private let kfence: Lazy<KfencePool?>
  /// The caches, the newest first.
  let caches: Lazy<Listing<SlabCache>>
  /// The names of merged caches, by the address of the cache that they were merged into.
  let aliases: Lazy<[UInt64: [String]]>
  /// All slabs, found by scanning all page frames.
  let census: Lazy<SlabCensus?>
  /// The caches' per-CPU memory.
  let perCPUParts: Lazy<SlabPerCPUParts?>

  init(
    _ context: KernelContext, _ pages: Lazy<PageArray?>, _ perCPU: Lazy<PerCPU?>, _ depot: Lazy<StackDepot?>,
    _ cgroups: Lazy<MemoryCgroups?>
  ) {
    self.context = context
    self.pages = pages
    let found: Lazy<SlabReader?> = Lazy {
      guard let pages = pages.value, let layout = SlabLayout(context.types.value) else { return nil }
      return SlabReader(context, pages, layout, perCPU, depot, cgroups)
    }
    let kfence = Lazy { KfencePool(context) }
    let census: Lazy<SlabCensus?> = Lazy {
      found.value.map { reader in
        SlabCensus(context.ramFrames, reader) { kfence.value?.place(of: $0) != nil }
      }
    }
    let caches: Lazy<Listing<SlabCache>> = Lazy {
      guard let reader = found.value else { return Listing() }
      let list = SlabCacheList(memory: context.memory, layout: reader.layout, symbols: context.symbols)
        .all { census.value?.caches.keys.lazy.filter { reader.cache(at: $0) != nil }.first }
      var result = Listing<SlabCache>(notes: list.notes)
      for address in list.elements {
        if let cache = reader.cache(at: address) {
          result.elements.append(cache)
        } else {
          result.note(
            .objectUnreadable, hex(address), text: "the cache at \(hex(address)) cannot be read, or is damaged")
        }
      }
      return result
    }
    perCPUParts = Lazy {
      found.value.map { SlabPerCPUParts(caches.value.elements, $0.layout, context.memory, context.types.value) }
    }
    self.found = found
    self.kfence = kfence
    self.census = census
    self.caches = caches
    aliases = Lazy {
      guard let reader = found.value, let first = caches.value.elements.first else { return [:] }
      return SlabAliases(context.memory, reader.layout, context.types.value)?.all(from: first.address) ?? [:]
    }
  }

  /// The reader for SLUB or SLAB; nil if the kernel uses another allocator, or its types are unknown.
  var slub: SlabReader? { found.value }

  /// Why `slub` is nil.
  var absence: Diagnostic {
    let types = context.types.value
    guard types.size(of: "kmem_cache") != nil else { return types.unknown("kmem_cache") }
    if types.member("offset", of: "kmem_cache") != nil {
      return types.unknown("page", "where struct page is, or what is in it, is not known")
    }
    // Each of the others has a type of its own. SLOB was removed in 6.4, SLAB in 6.8.
    if types.size(of: "freelist_idx_t") != nil || types.member("num", of: "kmem_cache") != nil {
      return types.unknown("array_cache", "the kernel's slab allocator is SLAB, of which types are not known")
    }
    return Diagnostic(.slabUnsupported, "the kernel's slab allocator is SLOB, which keeps no objects apart")
  }

  /// The name of the cache whose slab has its head `struct page` at `head`.
  func cacheName(ofHead head: UInt64) -> String? {
    guard let slub, let cache = StructView(space: context.memory, address: head).pointer(slub.layout.cache) else {
      return nil
    }
    return slub.cache(at: cache)?.name
  }

  /// What the allocator has at `address`, a linear address; nil if it is not the allocator's.
  ///
  /// - Parameter physical: the physical address; nil if it is not mapped, as KFENCE's guard pages are.
  func place(of address: UInt64, _ physical: PhysicalAddress?) -> SlabPlace? {
    if let place = kfence.value?.place(of: address) { return self.place(place, address) }
    guard let physical, let pages = pages.value else { return nil }
    let shift = pages.vmemmap.pageShift
    let frame = physical.rawValue >> shift
    guard let record = pages.record(frame) else { return nil }
    let head = pages.head(of: frame, record)
    guard head <= frame, let first = head == frame ? record : pages.record(head) else { return nil }
    let base = address & ~(1 << shift - 1) &- (frame - head) << shift
    if let type = pages.types.largeKmalloc, type.matches(first.mapcount) {
      let size = pages.byteCount(ofHead: head, first)
      return address &- base < size ? .largeKmalloc(start: base, size: size) : nil
    }
    guard pages.isSlab(first) else { return nil }
    return slub?.place(of: address, head: head, first, base: base)
  }

  private func place(_ place: KfencePool.Place, _ address: UInt64) -> SlabPlace {
    switch place {
    case .guardPage: return .kfence("guard page")
    case .unused: return .kfence("unused page")
    case .object(let object):
      guard let cache = slub?.cache(at: object.cache) else {
        return .damaged("the cache of the KFENCE object at \(hex(object.address)) cannot be read, or is damaged")
      }
      let offset = Int(Int64(bitPattern: address &- object.address))
      return .object(
        SlabObject(
          cache: cache, address: object.address, index: object.index, isKfence: true, size: object.size, offset: offset,
          part: 0..<object.size ~= offset ? .object : .redZone, isAllocated: object.isAllocated,
          freeList: object.isAllocated ? nil : .kfence, problem: nil, tracks: object.tracks, cgroup: nil, damage: []))
    }
  }
}
