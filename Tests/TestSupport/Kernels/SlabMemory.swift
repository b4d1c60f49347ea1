/// Memory with a slab cache, its slabs, and the `struct page` of each page, written by hand.
///
///     0 BTF | 2000 struct pages | 2800 the cache and its lists | 3000 slab of a node | 4000 slab of a CPU
public enum SlabMemory {
  /// Where it is in the image.
  public static let start: UInt64 = 0xffff_8000_0801_0000
  /// Where it is in the linear map.
  public static let linear: UInt64 = 0xffff_0000_0801_0000
  /// Bytes from one object to the next.
  public static let stride: UInt64 = 256
  /// Bytes of the red zone before each object.
  public static let redZone: UInt64 = 16
  /// What hides free pointers.
  public static let random: UInt64 = 0x1234_5678_9abc_def1

  /// What VMCOREINFO has to say of it.
  public static let lines = [
    "NUMBER(PHYS_OFFSET)=0x38000000", "NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-184549376",
    "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-268435456", "LENGTH(zone.free_area)=11",
    symbol("__start_BTF", 0), symbol("__stop_BTF", 0x2000), symbol("slab_caches", 0x29c0),
    symbol("__per_cpu_offset", 0x2a00),
    // Page 0 of the input is frame 0x40010.
    "SYMBOL(vmemmap)=" + String(start + 0x2000 - 0x40010 * 64, radix: 16),
  ]

  private static func symbol(_ name: String, _ offset: UInt64) -> String {
    "SYMBOL(\(name))=" + String(start + offset, radix: 16)
  }

  /// Where object `index` of the slab at `page` of the input begins.
  public static func object(_ page: UInt64, _ index: UInt64) -> UInt64 { linear + page + index * stride + redZone }

  /// What VMCOREINFO has to say of the memory with `hasCharges`.
  public static let chargedLines = lines + [symbol("stack_pools", 0x2e00)]
  /// What it has to say where KASAN has a ring of tracks.
  public static let ringLines = chargedLines + [symbol("stack_ring", 0x2fc0)]
  /// The object that is charged to a cgroup, and that KASAN has a track of.
  public static let charged: UInt64 = 8
  /// The path of that cgroup.
  public static let cgroup = "/user.slice"
  /// Who allocated it: the PID, and the call trace.
  public static let track: (pid: Int, frames: [UInt64]) = (77, [start + 0x100, start + 0x200])

  /// The ring of KASAN, the oldest entry first: the object, the PID, and whether that freed it. The ring is one further
  /// than its start.
  public static let ring: [(object: UInt64, pid: Int, isFree: Bool)] = [
    (2, 9, false), (8, 3, true), (8, 4, false), (8, 5, true),
  ]

  private static func btf(hasCharges: Bool, hasRing: Bool, isChecked: Bool) -> [UInt8] {
    var writer = BTFWriter()
    let int = writer.integer("unsigned int", size: 4)
    let long = writer.integer("long unsigned int", size: 8)
    let pointer = writer.reference(kind: 2, to: 0)
    let list = writer.structure(
      "list_head", size: 16, [.init("next", pointer, bit: 0), .init("prev", pointer, bit: 64)])
    _ = writer.enumeration(
      "pageflags", size: 4,
      ["PG_locked", "PG_writeback", "PG_referenced", "PG_uptodate", "PG_dirty", "PG_lru", "PG_head", "PG_reserved"])
    _ = writer.structure(
      "page", size: 64,
      [
        .init("flags", long, bit: 0), .init("compound_head", long, bit: 64), .init("mapping", pointer, bit: 192),
        .init("index", long, bit: 256), .init("private", long, bit: 320), .init("_mapcount", int, bit: 384),
        .init("_refcount", int, bit: 416),
      ])
    let extensions: [BTFWriter.Member] = hasCharges ? [.init("obj_exts", long, bit: 448)] : []
    _ = writer.structure(
      "slab", size: 64,
      [
        .init("slab_cache", pointer, bit: 64), .init("slab_list", list, bit: 128), .init("freelist", pointer, bit: 256),
        .init("inuse", int, bit: 320, bits: 16), .init("objects", int, bit: 336, bits: 15),
        .init("frozen", int, bit: 351, bits: 1),
      ] + extensions)
    let kasan: [BTFWriter.Member] =
      hasCharges ? [.init("kasan_info", charges(&writer, int, pointer, hasRing: hasRing), bit: 704)] : []
    let order = writer.structure("kmem_cache_order_objects", size: 4, [.init("x", int, bit: 0)])
    let nodes = writer.array(of: pointer, index: long, count: 1)
    _ = writer.structure(
      "kmem_cache", size: 96,
      [
        .init("cpu_slab", pointer, bit: 0), .init("cpu_sheaves", pointer, bit: 64), .init("flags", long, bit: 128),
        .init("size", int, bit: 192), .init("object_size", int, bit: 224), .init("offset", int, bit: 256),
        .init("oo", order, bit: 288), .init("inuse", int, bit: 320), .init("red_left_pad", int, bit: 352),
        .init("random", long, bit: 384), .init("name", pointer, bit: 448), .init("list", list, bit: 512),
        .init("node", nodes, bit: 640),
      ] + kasan)
    _ = writer.structure(
      "kmem_cache_cpu", size: 24,
      [.init("freelist", pointer, bit: 0), .init("slab", pointer, bit: 64), .init("partial", pointer, bit: 128)])
    _ = writer.structure(
      "kmem_cache_node", size: 40,
      [
        .init("partial", list, bit: 0), .init("nr_slabs", long, bit: 128), .init("total_objects", long, bit: 192),
        .init("barn", pointer, bit: 256),
      ])
    _ = writer.structure(
      "slub_percpu_sheaves", size: 24,
      [.init("main", pointer, bit: 0), .init("spare", pointer, bit: 64), .init("rcu_free", pointer, bit: 128)])
    let objects = writer.array(of: pointer, index: long, count: 0)
    _ = writer.structure(
      "slab_sheaf", size: 24,
      [.init("barn_list", list, bit: 0), .init("size", int, bit: 128), .init("objects", objects, bit: 192)])
    _ = writer.structure("node_barn", size: 16, [.init("sheaves_full", list, bit: 0)])
    if isChecked {
      _ = writer.structure(
        "track", size: 32,
        [
          .init("addr", pointer, bit: 0), .init("handle", int, bit: 64), .init("cpu", int, bit: 96),
          .init("pid", int, bit: 128), .init("when", long, bit: 192),
        ])
    }
    return writer.bytes
  }

  /// The types of cgroups, of KASAN's data and of the stack depot; that of `kasan_info`.
  private static func charges(_ writer: inout BTFWriter, _ int: Int, _ pointer: Int, hasRing: Bool) -> Int {
    _ = writer.structure("slabobj_ext", size: 8, [.init("objcg", pointer, bit: 0)])
    _ = writer.structure("obj_cgroup", size: 24, [.init("memcg", pointer, bit: 128)])
    let state = writer.structure(
      "cgroup_subsys_state", size: 16, [.init("cgroup", pointer, bit: 0), .init("flags", int, bit: 64)])
    _ = writer.structure("mem_cgroup", size: 16, [.init("css", state, bit: 0)])
    _ = writer.structure("cgroup", size: 8, [.init("kn", pointer, bit: 0)])
    _ = writer.structure(
      "kernfs_node", size: 24,
      [.init("parent", pointer, bit: 0), .init("name", pointer, bit: 64), .init("priv", pointer, bit: 128)])
    let track = writer.structure("kasan_track", size: 8, [.init("pid", int, bit: 0), .init("stack", int, bit: 32)])
    if hasRing {
      let flag = writer.integer("_Bool", size: 1)
      let long = writer.integer("size_t", size: 8)
      _ = writer.structure(
        "kasan_stack_ring_entry", size: 32,
        [
          .init("ptr", pointer, bit: 0), .init("size", long, bit: 64), .init("track", track, bit: 128),
          .init("is_free", flag, bit: 192),
        ])
      _ = writer.structure(
        "kasan_stack_ring", size: 32,
        [
          .init("lock", int, bit: 0), .init("size", long, bit: 64), .init("pos", long, bit: 128),
          .init("entries", pointer, bit: 192),
        ])
    } else {
      _ = writer.structure("kasan_alloc_meta", size: 8, [.init("alloc_track", track, bit: 0)])
    }
    _ = writer.structure(
      "handle_parts", size: 4,
      [
        .init("pool_index_plus_1", int, bit: 0, bits: 17), .init("offset", int, bit: 17, bits: 10),
        .init("extra", int, bit: 27, bits: 5),
      ])
    let entries = writer.array(of: pointer, index: int, count: 0)
    _ = writer.structure(
      "stack_record", size: 16,
      [.init("size", int, bit: 0), .init("handle", int, bit: 32), .init("entries", entries, bit: 128)])
    return writer.structure(
      "kasan_cache", size: 8, [.init("alloc_meta_offset", int, bit: 0), .init("free_meta_offset", int, bit: 32)])
  }

  /// What is free in the slab of the node, in the order of its list.
  public static let freeOnNode: [UInt64] = [3, 9, 4]
  /// What is free in the slab of the CPU by the slab's own list.
  public static let freeOnSlab: [UInt64] = [7]
  /// What is free there by the list of the CPU.
  public static let freeOnCPU: [UInt64] = [1, 15, 2]
  /// What of it is in the CPU's sheaf.
  public static let inSheaf: [UInt64] = [5]
  /// What of it is in a sheaf of the node.
  public static let inBarn: [UInt64] = [6]

  /// The memory.
  ///
  /// - Parameters:
  ///   - isOld: hide free pointers as before 5.7.
  ///   - hasCharges: charge one object to a cgroup, with a track by KASAN.
  ///   - hasRing: with that, keep KASAN's tracks in a ring.
  ///   - isChecked: let it be a cache of kmalloc with red zones and tracks, whose objects were asked for with
  ///     `asked` bytes.
  public static func memory(
    isOld: Bool = false, hasCharges: Bool = false, hasRing: Bool = false, isChecked: Bool = false
  ) -> [UInt8] {
    let btf = btf(hasCharges: hasCharges, hasRing: hasRing, isChecked: isChecked)
    var memory = WrittenMemory(start: start, bytes: btf + [UInt8](repeating: 0, count: 0x5000 - btf.count))
    let cache = start + 0x2800, node = start + 0x2900, head = start + 0x29c0
    for (offset, value) in [(24, 256), (28, 64), (32, 64), (36, 16), (40, 72), (44, 16)] as [(UInt64, UInt32)] {
      memory.put(value, cache + offset)
    }
    // The free pointer is behind the right red zone.
    let pointer: UInt64 = isChecked ? 72 : 64
    if isChecked {
      memory.put(0x1_1400 as UInt64, cache + 16)
      memory.put(UInt32(pointer), cache + 32)
    }
    // The CPU's offset is as if the template of its data were 0x100000 before.
    let offset: UInt64 = 0x10_0000
    memory.put(offset, start + 0x2a00)
    memory.put(start + 0x2a40 - offset, cache)
    memory.put(start + 0x2a80 - offset, cache + 8)
    memory.put(random, cache + 48)
    memory.put(start + 0x2980, cache + 56)
    memory.put("fuzzed", start + 0x2980)
    memory.link([head, cache + 64])
    memory.put(node, cache + 80)
    memory.put(2 as UInt64, node + 16)
    memory.put(32 as UInt64, node + 24)
    let pages = [0x3000, 0x4000] as [UInt64]
    for page in pages {
      let slab = start + 0x2000 + page / 4096 * 64
      memory.put(cache, slab + 8)
      memory.put(UInt32(0xf500_0000), slab + 48)
      memory.put(1 as UInt32, slab + 52)
    }
    let (partial, active) = (start + 0x20c0, start + 0x2100)
    func chain(_ page: UInt64, _ indices: [UInt64]) -> UInt64 {
      for (number, index) in indices.enumerated() {
        let place = object(page, index) + pointer
        let next = number + 1 < indices.count ? object(page, indices[number + 1]) : 0
        memory.put(next ^ random ^ (isOld ? place : place.byteSwapped), place - linear + start)
      }
      return object(page, indices[0])
    }
    memory.put(chain(0x3000, freeOnNode), partial + 32)
    memory.put(UInt32(16 - freeOnNode.count) | 16 << 16, partial + 40)
    memory.link([node, partial + 16])
    memory.put(chain(0x4000, freeOnSlab), active + 32)
    memory.put(UInt32(16 - freeOnSlab.count) | 16 << 16 | 1 << 31, active + 40)
    memory.put(chain(0x4000, freeOnCPU), start + 0x2a40)
    memory.put(active, start + 0x2a48)
    let (sheaf, barn, full) = (start + 0x2ac0, start + 0x2b40, start + 0x2b80)
    memory.put(sheaf, start + 0x2a80)
    memory.put(1 as UInt32, sheaf + 16)
    memory.put(object(0x4000, inSheaf[0]), sheaf + 24)
    memory.put(barn, node + 32)
    memory.link([barn, full])
    memory.put(1 as UInt32, full + 16)
    memory.put(object(0x4000, inBarn[0]), full + 24)
    if hasCharges { charge(&memory, slab: partial, cache: cache) }
    if isChecked { fill(&memory) }
    if hasRing {
      let size = UInt64(ring.count)
      memory.put(size, start + 0x2fc8)
      // It has gone round once, and one further.
      memory.put(size + 1, start + 0x2fd0)
      memory.put(start + 0x2f00, start + 0x2fd8)
      for (number, entry) in ring.enumerated() {
        let place = start + 0x2f00 + (UInt64(number) + 1) % size * 32
        // The pointer has the tag of that time.
        memory.put(object(0x3000, entry.object) & ~(0xff << 56) | 0xf5 << 56, place)
        memory.put(UInt32(entry.pid), place + 16)
        memory.put(handle, place + 20)
        memory.put(UInt8(entry.isFree ? 1 : 0), place + 24)
      }
    }
    return memory.bytes
  }

  /// The bytes that were asked for of each object of the checked cache.
  public static let asked: UInt64 = 40

  /// Fills the objects of the checked cache as SLUB does (mm/slub.c, `init_object`, `set_orig_size`).
  private static func fill(_ memory: inout WrittenMemory) {
    let free = [(0x3000, freeOnNode), (0x4000, freeOnSlab + freeOnCPU + inSheaf + inBarn)] as [(UInt64, [UInt64])]
    for (page, free) in free {
      for index in 0..<16 as Range<UInt64> {
        let isFree = free.contains(index)
        let place = object(page, index) - linear + start
        let zones = [(place - redZone)..<place, (place + 64)..<(place + 72)]
        for at in zones.joined() { memory.put(isFree ? 0xbb : 0xcc as UInt8, at) }
        // A free one has anything behind what was asked for.
        for at in (place + asked)..<(place + 64) { memory.put(isFree ? 0x11 : 0xcc as UInt8, at) }
        // Behind the free pointer and two tracks.
        memory.put(UInt32(asked), place + 80 + 64)
      }
    }
  }

  /// Of pool 1, 4 * 16 bytes in.
  private static let handle: UInt32 = 1 | 4 << 17

  private static func charge(_ memory: inout WrittenMemory, slab: UInt64, cache: UInt64) {
    func at(_ offset: UInt64) -> UInt64 { start + offset }
    memory.put(at(0x2d00) | 1, slab + 56)
    memory.put(at(0x2c00), at(0x2d00) + charged * 8)
    memory.put(at(0x2c40), at(0x2c10))
    memory.put(at(0x2c60), at(0x2c40))
    memory.put(2 as UInt32, at(0x2c48))
    memory.put(at(0x2c80), at(0x2c60))
    for (offset, value) in [(0, 0x2ca0), (8, 0x2cc0), (16, 0x2c60)] as [(UInt64, UInt64)] {
      memory.put(at(value), at(0x2c80) + offset)
    }
    memory.put(at(0x2cf0), at(0x2ca8))
    memory.put(String(cgroup.dropFirst()), at(0x2cc0))
    // The metadata of KASAN are behind the free pointer.
    memory.put(80 as UInt32, cache + 88)
    memory.put(UInt32.max >> 1, cache + 92)
    memory.put(UInt32(track.pid), object(0x3000, charged) + 80 - linear + start)
    memory.put(handle, object(0x3000, charged) + 84 - linear + start)
    memory.put(at(0x2e40), at(0x2e00))
    memory.put(UInt32(track.frames.count), at(0x2e80))
    memory.put(handle, at(0x2e84))
    for (number, frame) in track.frames.enumerated() { memory.put(frame, at(0x2e90) + UInt64(number) * 8) }
  }
}
