import DebugInfo

/// The members that SLUB and SLAB are read by, with the names of all versions, the newest first. (mm/slab.h, mm/slub.c;
/// `struct slab` took over from `struct page` in 5.17, d122019bf061 "mm: Split slab into its own type")
struct SlabLayout: Sendable {
  /// Members of `struct slab`, or of the `struct page` that it lies over.
  let cache: TypeMember
  let freelist: TypeMember
  /// In SLAB, where the free objects begin in the array (`active`).
  let inUse: TypeMember
  /// nil for SLAB, whose slabs all have the same number.
  let objects: TypeMember?
  /// The link of a CPU's partial list.
  let next: TypeMember?
  /// The link of a node's partial list.
  let link: TypeMember?

  /// The vector of object extensions, with flags in the pointer's low bits: the cgroups that objects are charged to.
  let extensions: TypeMember?
  /// The size of an element of it, and the offset of the `obj_cgroup` in it; before 6.10 an element is just that
  /// pointer.
  let extensionStride: Int
  let extensionGroup: Int
  /// The slab's own stride of elements (since 7.0).
  let ownStride: TypeMember?
  /// Whether the elements are in the objects themselves (since 7.0).
  let areInObjects: TypeMember?

  // `struct kmem_cache`.
  let size: TypeMember
  let objectSize: TypeMember
  /// nil for SLAB, as is `end`.
  let freePointer: TypeMember?
  let end: TypeMember?
  let redLeftPad: TypeMember?
  let order: TypeMember?
  let random: TypeMember?
  let flags: TypeMember?
  let name: TypeMember
  let list: TypeMember
  let references: TypeMember?
  let kobject: TypeMember?
  /// The per-CPU pointer to `struct kmem_cache_cpu`; removed in 7.0 (32c894c7274b "slab: remove struct
  /// kmem_cache_cpu").
  let cpuSlab: TypeMember?
  /// The per-CPU pointer to the sheaves, since 6.18.
  let cpuSheaves: TypeMember?
  /// The per-node array, its stride, and the offset of the pointer in an element.
  let nodes: TypeMember?
  let nodeStride: Int
  let nodeOffset: Int
  let nodeBarn: Int?

  // `struct kmem_cache_cpu`.
  let cpuFreelist: TypeMember?
  let cpuPage: TypeMember?
  let cpuPartial: TypeMember?

  // `struct kmem_cache_node`.
  let partial: TypeMember?
  let slabCount: TypeMember?
  let objectCount: TypeMember?
  let barn: TypeMember?

  // `struct slub_percpu_sheaves`, `struct slab_sheaf`, `struct node_barn`.
  let sheaves: [(name: SheafKind, member: TypeMember)]
  let sheafSize: TypeMember?
  let sheafObjects: TypeMember?
  let sheafLink: TypeMember?
  let barnFull: TypeMember?

  /// SLAB's layout; nil for SLUB.
  let array: SlabArrayLayout?

  /// A CPU's sheaves.
  enum SheafKind: Sendable { case main, spare, rcu }

  /// nil if the allocator is SLOB, or its types are unknown.
  init?(_ types: KernelTypes) {
    /// A member of known length, which can be read.
    func member(_ names: String..., of type: String) -> TypeMember? {
      for name in names {
        if let found = types.member(name, of: type), found.size > 0 { return found }
      }
      return nil
    }
    let slab = types.size(of: "slab") != nil && types.member("slab_cache", of: "slab") != nil ? "slab" : "page"
    array = SlabArrayLayout(types, slab)
    let isArray = array != nil
    guard let cache = member("slab_cache", of: slab), let freelist = member("freelist", of: slab),
      let inUse = member(isArray ? "active" : "inuse", of: slab),
      let size = member("size", of: "kmem_cache"), let objectSize = member("object_size", of: "kmem_cache"),
      let name = member("name", of: "kmem_cache"), let list = member("list", of: "kmem_cache")
    else { return nil }
    freePointer = isArray ? nil : member("offset", of: "kmem_cache")
    end = isArray ? nil : member("inuse", of: "kmem_cache")
    objects = isArray ? nil : member("objects", of: slab)
    guard isArray || freePointer != nil && end != nil && objects != nil else { return nil }
    self.cache = cache
    self.freelist = freelist
    self.inUse = inUse
    next = member("next", of: slab)
    link = member("slab_list", "lru", of: slab)
    extensions = member("obj_exts", "memcg_data", "obj_cgroups", of: slab)
    extensionStride = max(8, types.size(of: "slabobj_ext") ?? 8)
    extensionGroup = member("objcg", "_objcg", of: "slabobj_ext")?.offset ?? 0
    ownStride = member("stride", of: slab)
    areInObjects = member("obj_exts_in_object", of: slab)
    self.size = size
    self.objectSize = objectSize
    redLeftPad = member(isArray ? "obj_offset" : "red_left_pad", of: "kmem_cache")
    order = isArray ? nil : member("oo", of: "kmem_cache")
    random = member("random", of: "kmem_cache")
    flags = member("flags", of: "kmem_cache")
    self.name = name
    self.list = list
    references = member("refcount", of: "kmem_cache")
    kobject = member("kobj", of: "kmem_cache")
    cpuSlab = member("cpu_slab", of: "kmem_cache")
    cpuSheaves = member("cpu_sheaves", of: "kmem_cache")
    if let pairs = member("per_node", of: "kmem_cache"), let pair = types.size(of: "kmem_cache_per_node_ptrs"),
      let node = member("node", of: "kmem_cache_per_node_ptrs"), pair > 0
    {
      nodes = pairs
      nodeStride = pair
      nodeOffset = node.offset
      nodeBarn = member("barn", of: "kmem_cache_per_node_ptrs")?.offset
    } else {
      nodes = member("node", of: "kmem_cache")
      nodeStride = 8
      nodeOffset = 0
      nodeBarn = nil
    }
    cpuFreelist = member("freelist", of: "kmem_cache_cpu")
    cpuPage = member("slab", "page", of: "kmem_cache_cpu")
    cpuPartial = member("partial", of: "kmem_cache_cpu")
    partial = member("partial", of: "kmem_cache_node")
    slabCount = member(isArray ? "total_slabs" : "nr_slabs", of: "kmem_cache_node")
    objectCount = member("total_objects", of: "kmem_cache_node")
    barn = member("barn", of: "kmem_cache_node")
    let kinds: [(String, SheafKind)] = [("main", .main), ("spare", .spare), ("rcu_free", .rcu)]
    sheaves = kinds.compactMap { name, kind in member(name, of: "slub_percpu_sheaves").map { (kind, $0) } }
    sheafSize = member("size", of: "slab_sheaf")
    sheafObjects = types.member("objects", of: "slab_sheaf")
    sheafLink = member("barn_list", of: "slab_sheaf")
    barnFull = member("sheaves_full", of: "node_barn")
  }
}
