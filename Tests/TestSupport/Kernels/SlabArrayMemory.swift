/// Memory with a cache of SLAB as 6.1 had it, its slab, and the arrays of a CPU and a node, written by hand.
///
///     0 BTF | 2000 struct pages | 2800 the cache and its arrays | 3000 a slab
public enum SlabArrayMemory {
  private static let start = SlabMemory.start
  /// Bytes from one object to the next.
  public static let stride: UInt64 = 192
  /// Objects of a slab.
  public static let count: UInt64 = 20
  /// What SLAB put before the first object (colouring).
  private static let colour: UInt64 = 64
  /// The numbers of the free objects, by the slab.
  public static let freeInSlab: [UInt64] = [7, 2, 19]
  /// What a CPU has in its array.
  public static let onCPU: UInt64 = 4
  /// What its node has in the array that its CPUs share.
  public static let shared: UInt64 = 11
  /// What the node has in the array for another one.
  public static let alien: UInt64 = 12

  /// Where object `index` is.
  public static func object(_ index: UInt64) -> UInt64 { SlabMemory.linear + 0x3000 + colour + index * stride }

  /// What VMCOREINFO has to say of it.
  public static let lines = [
    "NUMBER(PHYS_OFFSET)=0x38000000", "NUMBER(PG_slab)=9", "LENGTH(zone.free_area)=11",
    symbol("__start_BTF", 0), symbol("__stop_BTF", 0x2000), symbol("slab_caches", 0x29c0),
    symbol("__per_cpu_offset", 0x2a00),
    "SYMBOL(vmemmap)=" + String(start + 0x2000 - 0x40010 * 64, radix: 16),
  ]

  private static func symbol(_ name: String, _ offset: UInt64) -> String {
    "SYMBOL(\(name))=" + String(start + offset, radix: 16)
  }

  private static var btf: [UInt8] {
    var writer = BTFWriter()
    let int = writer.integer("unsigned int", size: 4)
    let long = writer.integer("long unsigned int", size: 8)
    let byte = writer.integer("unsigned char", size: 1)
    let pointer = writer.reference(kind: 2, to: 0)
    let list = writer.structure(
      "list_head", size: 16, [.init("next", pointer, bit: 0), .init("prev", pointer, bit: 64)])
    _ = writer.reference(kind: 8, "freelist_idx_t", to: byte)
    _ = writer.structure(
      "page", size: 64,
      [
        .init("flags", long, bit: 0), .init("compound_head", long, bit: 64), .init("mapping", pointer, bit: 192),
        .init("index", long, bit: 256), .init("private", long, bit: 320), .init("_mapcount", int, bit: 384),
        .init("_refcount", int, bit: 416),
      ])
    _ = writer.structure(
      "slab", size: 64,
      [
        .init("slab_list", list, bit: 64), .init("slab_cache", pointer, bit: 192), .init("freelist", pointer, bit: 256),
        .init("s_mem", pointer, bit: 320), .init("active", int, bit: 384),
      ])
    let nodes = writer.array(of: pointer, index: long, count: 1)
    _ = writer.structure(
      "kmem_cache", size: 96,
      [
        .init("cpu_cache", pointer, bit: 0), .init("size", int, bit: 64), .init("flags", int, bit: 96),
        .init("num", int, bit: 128), .init("gfporder", int, bit: 160), .init("object_size", int, bit: 192),
        .init("name", pointer, bit: 448), .init("list", list, bit: 512), .init("node", nodes, bit: 640),
      ])
    let entries = writer.array(of: pointer, index: long, count: 0)
    let array = writer.structure(
      "array_cache", size: 16, [.init("avail", int, bit: 0), .init("entry", entries, bit: 128)])
    _ = writer.structure("alien_cache", size: 24, [.init("lock", int, bit: 0), .init("ac", array, bit: 64)])
    _ = writer.structure(
      "kmem_cache_node", size: 40,
      [
        .init("total_slabs", long, bit: 0), .init("free_objects", long, bit: 64), .init("shared", pointer, bit: 128),
        .init("alien", pointer, bit: 192),
      ])
    return writer.bytes
  }

  /// The memory.
  public static func memory() -> [UInt8] {
    var memory = WrittenMemory(start: start, bytes: btf + [UInt8](repeating: 0, count: 0x4000 - btf.count))
    let cache = start + 0x2800, node = start + 0x2900, head = start + 0x29c0
    let offset: UInt64 = 0x10_0000
    memory.put(offset, start + 0x2a00)
    memory.put(start + 0x2a40 - offset, cache)
    memory.put(UInt32(stride), cache + 8)
    memory.put(UInt32(count), cache + 16)
    memory.put(0 as UInt32, cache + 20)
    memory.put(180 as UInt32, cache + 24)
    memory.put(start + 0x2980, cache + 56)
    memory.put("arrays", start + 0x2980)
    memory.link([head, cache + 64])
    memory.put(node, cache + 80)
    memory.put(1 as UInt64, node)
    memory.put(UInt64(freeInSlab.count), node + 8)
    memory.put(start + 0x2b00, node + 16)
    memory.put(start + 0x2b40, node + 24)
    memory.put(start + 0x2b80, start + 0x2b40)
    for (place, object) in [(0x2a40, onCPU), (0x2b00, shared), (0x2b88, alien)] as [(UInt64, UInt64)] {
      memory.put(1 as UInt32, start + place)
      memory.put(self.object(object), start + place + 16)
    }
    let slab = start + 0x20c0
    memory.put(1 << 9 as UInt64, slab)
    memory.put(cache, slab + 24)
    // The array of numbers is in a slab of its own kind, as far as that goes: here beside the cache.
    memory.put(start + 0x2c00, slab + 32)
    memory.put(SlabMemory.linear + 0x3000 + colour, slab + 40)
    memory.put(UInt32(count) - UInt32(freeInSlab.count), slab + 48)
    memory.put(1 as UInt32, slab + 52)
    for index in 0..<count {
      let place = Int(index) - Int(count) + freeInSlab.count
      // What is before the active ones is left from before.
      memory.put(UInt8(place >= 0 ? freeInSlab[place] : 3), start + 0x2c00 + index)
    }
    return memory.bytes
  }
}
