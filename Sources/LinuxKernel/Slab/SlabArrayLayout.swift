import DebugInfo

/// The layout of SLAB, removed in 6.8: each slab has an array of the indices of its free objects, and CPUs and nodes
/// have arrays of free objects.
///
///     slab            s_mem: the first object; freelist[active ..< num]: the numbers of the free ones
///     kmem_cache      num, gfporder, cpu_cache: per-CPU array_cache; node[]: shared, alien[]
///     array_cache     avail, entry[]
///
/// (mm/slab.c, include/linux/slab_def.h)
struct SlabArrayLayout: Sendable {
  let start: TypeMember
  /// Bytes of an index.
  let indexSize: Int
  let perSlab: TypeMember
  let order: TypeMember?
  let cpuArray: TypeMember?
  let shared: TypeMember?
  let alien: TypeMember?
  /// The offset of the array in a `struct alien_cache`.
  let alienArray: Int
  let count: TypeMember
  let entries: Int
  let freeObjects: TypeMember?

  /// nil if the allocator is not SLAB, or its types are unknown.
  ///
  /// - Parameter slab: the name of a slab's type.
  init?(_ types: KernelTypes, _ slab: String) {
    guard let start = types.member("s_mem", of: slab), let perSlab = types.member("num", of: "kmem_cache"),
      let size = types.size(of: "freelist_idx_t"), size == 1 || size == 2,
      let count = types.member("avail", of: "array_cache"), let entries = types.member("entry", of: "array_cache")
    else { return nil }
    self.start = start
    self.perSlab = perSlab
    indexSize = size
    self.count = count
    self.entries = entries.offset
    order = types.member("gfporder", of: "kmem_cache")
    cpuArray = types.member("cpu_cache", of: "kmem_cache")
    shared = types.member("shared", of: "kmem_cache_node")
    alien = types.member("alien", of: "kmem_cache_node")
    alienArray = types.member("ac", of: "alien_cache")?.offset ?? 0
    freeObjects = types.member("free_objects", of: "kmem_cache_node")
  }
}
