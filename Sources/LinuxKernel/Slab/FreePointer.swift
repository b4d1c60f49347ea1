/// Pointers from one free object to the next, plain or hidden (CONFIG_SLAB_FREELIST_HARDENED).
struct FreePointer {
  /// The addresses that a raw word may stand for, of which a list has one that is 0 or an object of its slab.
  ///
  /// - Parameters:
  ///   - raw: the word.
  ///   - place: where it is, without a tag.
  ///   - random: the cache's secret; nil where pointers are plain.
  static func candidates(_ raw: UInt64, at place: UInt64, _ random: UInt64?) -> (newer: UInt64, older: UInt64) {
    guard let random else { return (raw, raw) }
    // Since 5.7 the address is swapped (1ad53d9fa3f6), so that its secret bits meet those of the pointer.
    return (raw ^ random ^ place.byteSwapped, raw ^ random ^ place)
  }
}
