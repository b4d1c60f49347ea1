import DebugInfo

/// The flags of slab caches by name. (include/linux/slab.h)
struct SlabFlags: Sendable {
  /// The flags, lowest first.
  let names: [(mask: UInt64, name: String)]
  /// `__OBJECT_POISON`: free objects are poisoned. Caches with a constructor or RCU lack it even if poisoning was
  /// requested.
  let objectPoison: UInt64

  /// Since 6.9 the configuration decides the bit numbers; before, each flag has a fixed bit.
  init(_ types: KernelTypes) {
    let numbered = types.enumerators(of: "_slab_flag_bits").filter { 0..<64 ~= $0.value && $0.name.hasPrefix("_SLAB_") }
    if numbered.isEmpty {
      names = Self.fixed
      objectPoison = 0x8000_0000
    } else {
      names = numbered.filter { $0.name != "_SLAB_FLAGS_LAST_BIT" }.map {
        (1 << UInt64($0.value), String($0.name.dropFirst()))
      }
      objectPoison = names.first { $0.name == "SLAB_OBJECT_POISON" }?.mask ?? 0
    }
  }

  /// The mask of the flag `name`; 0 if the kernel has no such flag.
  func mask(_ name: String) -> UInt64 { names.first { $0.name == name }?.mask ?? 0 }

  /// The names of the bits that are set.
  func names(in bits: UInt64) -> [String] { names.filter { bits & $0.mask != 0 }.map(\.name) }

  private static let fixed: [(UInt64, String)] = [
    (0x100, "SLAB_CONSISTENCY_CHECKS"), (0x400, "SLAB_RED_ZONE"), (0x800, "SLAB_POISON"), (0x1000, "SLAB_KMALLOC"),
    (0x2000, "SLAB_HWCACHE_ALIGN"), (0x4000, "SLAB_CACHE_DMA"), (0x8000, "SLAB_CACHE_DMA32"),
    (0x1_0000, "SLAB_STORE_USER"), (0x2_0000, "SLAB_RECLAIM_ACCOUNT"), (0x4_0000, "SLAB_PANIC"),
    (0x8_0000, "SLAB_TYPESAFE_BY_RCU"), (0x10_0000, "SLAB_MEM_SPREAD"), (0x20_0000, "SLAB_TRACE"),
    (0x40_0000, "SLAB_DEBUG_OBJECTS"), (0x80_0000, "SLAB_NOLEAKTRACE"), (0x100_0000, "SLAB_NO_MERGE"),
    (0x200_0000, "SLAB_FAILSLAB"), (0x400_0000, "SLAB_ACCOUNT"), (0x800_0000, "SLAB_KASAN"),
    (0x1000_0000, "SLAB_NO_USER_FLAGS"), (0x2000_0000, "SLAB_SKIP_KFENCE"),
  ]
}
