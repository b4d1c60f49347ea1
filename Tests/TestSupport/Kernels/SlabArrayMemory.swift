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

  /// Bytes before each object of the checked cache.
  public static let pad: UInt64 = 16
  /// The red zones of a free object, and of one that is allocated. (include/linux/poison.h)
  public static let redZones: (free: UInt64, active: UInt64) = (0x09f9_1102_9d74_e35b, 0xd841_56c5_6356_88c0)

  private static func btf(isChecked: Bool) -> [UInt8] {
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
      ] + (isChecked ? [.init("obj_offset", int, bit: 224)] : []))
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
  ///
  /// - Parameter isChecked: let the cache have red zones, poison and callers, as CONFIG_DEBUG_SLAB gives it.
  public static func memory(isChecked: Bool = false) -> [UInt8] {
    let btf = btf(isChecked: isChecked)
    var memory = WrittenMemory(start: start, bytes: btf + [UInt8](repeating: 0, count: 0x4000 - btf.count))
    let cache = start + 0x2800, node = start + 0x2900, head = start + 0x29c0
    let offset: UInt64 = 0x10_0000
    memory.put(offset, start + 0x2a00)
    memory.put(start + 0x2a40 - offset, cache)
    memory.put(UInt32(stride), cache + 8)
    memory.put(UInt32(count), cache + 16)
    memory.put(0 as UInt32, cache + 20)
    memory.put(isChecked ? 140 : 180 as UInt32, cache + 24)
    if isChecked {
      memory.put(0x1_0c00 as UInt32, cache + 12)
      memory.put(UInt32(pad), cache + 28)
      fill(&memory)
    }
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

  /// Fills the objects as SLAB does: 16 bytes before each, of which the last eight are a red zone, and a red zone before
  /// the caller at the end.
  private static func fill(_ memory: inout WrittenMemory) {
    for index in 0..<count {
      let slot = object(index) - SlabMemory.linear + start
      let isFree = (freeInSlab + [onCPU, shared, alien]).contains(index)
      let zone = isFree ? redZones.free : redZones.active
      memory.put(zone, slot + pad - 8)
      memory.put(zone, slot + stride - 16)
      memory.put(start + 0x100, slot + stride - 8)
      for at in 0..<140 as Range<UInt64> where isFree { memory.put(at == 139 ? 0xa5 : 0x6b as UInt8, slot + pad + at) }
    }
  }
}
