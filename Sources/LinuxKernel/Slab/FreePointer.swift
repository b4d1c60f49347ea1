/// Freelist pointers, plain or obfuscated (CONFIG_SLAB_FREELIST_HARDENED).
struct FreePointer {
  /// The two decodings of a raw word; on an intact list, the right one is 0 or an object of the slab.
  ///
  /// - Parameters:
  ///   - raw: the stored word.
  ///   - place: its address, untagged.
  ///   - random: `kmem_cache.random`; nil if pointers are plain.
  static func candidates(_ raw: UInt64, at place: UInt64, _ random: UInt64?) -> (newer: UInt64, older: UInt64) {
    guard let random else { return (raw, raw) }
    // Since 5.7 (1ad53d9fa3f6 "slub: improve bit diffusion for freelist ptr obfuscation") the address is byte-swapped,
    // so that its unpredictable bits mix with the pointer's.
    return (raw ^ random ^ place.byteSwapped, raw ^ random ^ place)
  }
}
