import Bytes

/// What SLAB fills objects with in a kernel with CONFIG_DEBUG_SLAB.
///
///     object - obj_offset     nothing, up to the red zone
///     object - 8              red zone, a word: one value if it is free, another if it is allocated
///     object                  6b ... 6b a5 if it is free and poisoned
///     object + object_size    nothing, up to the red zone
///     slot + size - 8         red zone; before the caller's address, if that is kept
///
/// (`dbg_redzone1`, `dbg_redzone2`, `poison_obj`, mm/slab.c; include/linux/poison.h)
extension SlabDamageFinder {
  private enum RedZone {
    /// `RED_INACTIVE`.
    static let free: UInt64 = 0x09f9_1102_9d74_e35b
    /// `RED_ACTIVE`.
    static let active: UInt64 = 0xd841_56c5_6356_88c0
  }

  /// What is wrong with the object of SLAB at `address`; empty where it cannot be read.
  func arrayDamage(of address: UInt64, _ cache: SlabCache, isAllocated: Bool?) -> [SlabDamage] {
    let pad = cache.redLeftPad
    let start = address &- UInt64(pad)
    guard let bytes = memory.bytes(at: start, count: cache.size) else { return [] }
    var result: [SlabDamage] = []
    var isFree = isAllocated == false
    if cache.flagBits & redZone != 0 {
      let right = cache.size - (cache.flagBits & storeUser != 0 ? 16 : 8)
      guard pad >= 8, right >= pad + cache.objectSize else { return [] }
      let places = [(SlabDamage.Kind.leftRedZone, pad - 8), (.rightRedZone, right)]
      let words = places.map { word(bytes, $0.1) }
      // They have their own word for it where both have only the other one: so the allocator itself has it.
      if words == [RedZone.free, RedZone.free] { isFree = true }
      if words == [RedZone.active, RedZone.active] { isFree = false }
      if isAllocated == nil, words.contains(RedZone.free), !words.contains(RedZone.active) { isFree = true }
      let expected = isFree ? RedZone.free : RedZone.active
      for ((kind, place), word) in zip(places, words) where word != expected {
        let wrong = (0..<8).filter { (word ^ expected) >> UInt64(8 * $0) & 0xff != 0 }
        let part = (place + (wrong.first ?? 0))...(place + (wrong.last ?? 7))
        result.append(
          SlabDamage(
            kind: kind, range: (start &+ UInt64(part.lowerBound))..<(start &+ UInt64(part.upperBound) &+ 1),
            expected: expected, found: Array(bytes[part])))
      }
    }
    if isFree, cache.flagBits & poison != 0 {
      let last = pad + cache.objectSize - 1
      for (part, fill) in [(pad..<last, Fill.poison), (last..<(last + 1), Fill.poisonEnd)] where last < bytes.count {
        if let found = Self.difference(bytes, part, fill, .poison, at: start) { result.append(found) }
      }
    }
    return result
  }

  private func word(_ bytes: [UInt8], _ place: Int) -> UInt64 {
    UInt64(bytes.word32(place)) | UInt64(bytes.word32(place + 4)) << 32
  }
}
