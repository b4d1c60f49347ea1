import Bytes
import DebugInfo

/// Bytes that the allocator filled and something else overwrote.
package struct SlabDamage: Sendable {
  /// What was to keep them.
  package enum Kind: String, CaseIterable, Sendable {
    /// The red zone before an object.
    case leftRedZone = "left red zone"
    /// The red zone after an object.
    case rightRedZone = "right red zone"
    /// The rest of an object of kmalloc behind the bytes that were asked for.
    case kmallocRedZone = "kmalloc red zone"
    /// What a free object is filled with.
    case poison
    /// The padding after an object's metadata, or after the last object of a slab.
    case padding
    /// The free pointer of a free object.
    case freePointer = "free pointer"
  }

  /// What was to keep them.
  package let kind: Kind
  /// From the first wrong byte to the last.
  package let range: Range<UInt64>
  /// What they were filled with: a byte, or a word in the red zones of SLAB; nil of a free pointer.
  package let expected: UInt64?
  /// What they are, the first of them.
  package let found: [UInt8]

  /// Bytes shown.
  static let shown = 16

  /// The damage as text.
  package var text: String {
    let bytes = found.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    let more = range.count > found.count ? " ..." : ""
    let place = range.count == 1 ? hex(range.lowerBound) : "\(hex(range.lowerBound))-\(hex(range.upperBound - 1))"
    guard let expected else { return "its free pointer at \(place) is damaged: \(bytes)\(more)" }
    let filling = expected > 0xff ? hex(expected) : String(expected, radix: 16)
    return "the \(kind.rawValue) is overwritten at \(place): \(bytes)\(more), not \(filling)"
  }
}

/// Checks the red zones, poison and padding of caches that have them (slub_debug=ZP).
///
///     object - red_left_pad   left red zone    bb free, cc allocated
///     object                  6b ... 6b a5 if it is free and poisoned
///     object + orig_size      of an allocated one of kmalloc with tracks: cc up to object_size, since 6.2
///     object + object_size    right red zone, without red zones 5a
///     object + inuse          free pointer, tracks, orig_size
///     ...                     5a up to the next left red zone
///
/// (`check_object`, `check_pad_bytes`, `slab_pad_check`, mm/slub.c; include/linux/poison.h)
struct SlabDamageFinder: Sendable {
  let memory: KernelMemory
  let redZone: UInt64
  let poison: UInt64
  /// Whether the allocator is SLAB, which fills objects another way.
  private let isSLAB: Bool
  /// Whether what kmalloc gives beyond the bytes that were asked for is a red zone, too: `skip_orig_size_check` came
  /// with that. (946fa0dbf2d8, "mm/slub: extend redzone check to extra allocated kmalloc space than requested", 6.2)
  private let hasKmallocRedZone: Lazy<Bool>
  private let objectPoison: UInt64
  private let kmalloc: UInt64
  private let kasan: UInt64
  /// Bytes of the two tracks; nil if their type is unknown.
  private let trackBytes: Int?
  let storeUser: UInt64

  enum Fill {
    static let free: UInt8 = 0xbb
    static let active: UInt8 = 0xcc
    static let poison: UInt8 = 0x6b
    static let poisonEnd: UInt8 = 0xa5
    static let padding: UInt8 = 0x5a
  }

  init(_ context: KernelContext, _ flags: SlabFlags, isSLAB: Bool) {
    let types = context.types.value
    memory = context.memory
    self.isSLAB = isSLAB
    hasKmallocRedZone = Lazy { context.symbols.symbol(named: "skip_orig_size_check") != nil }
    redZone = flags.mask("SLAB_RED_ZONE")
    poison = flags.mask("SLAB_POISON")
    storeUser = flags.mask("SLAB_STORE_USER")
    kmalloc = flags.mask("SLAB_KMALLOC")
    objectPoison = flags.objectPoison
    // KASAN keeps data of its own in free objects.
    kasan = types.member("kasan_info", of: "kmem_cache") == nil ? 0 : flags.mask("SLAB_KASAN")
    trackBytes = types.size(of: "track").map { 2 * $0 }
  }

  /// Whether `cache` has red zones or poison.
  func checks(_ cache: SlabCache) -> Bool { cache.flagBits & (redZone | poison) != 0 }

  /// What is wrong with the object at `address`; empty if it cannot be read.
  func damage(of address: UInt64, _ cache: SlabCache, isAllocated: Bool?) -> [SlabDamage] {
    guard checks(cache) else { return [] }
    if isSLAB { return arrayDamage(of: address, cache, isAllocated: isAllocated) }
    let pad = cache.redLeftPad
    let start = address &- UInt64(pad)
    guard cache.objectSize <= cache.end, pad <= cache.size - cache.end,
      let bytes = memory.bytes(at: start, count: cache.size)
    else { return [] }
    var result: [SlabDamage] = []
    func check(_ kind: SlabDamage.Kind, _ part: Range<Int>, _ expected: UInt8) {
      if let found = Self.difference(bytes, part, expected, kind, at: start) { result.append(found) }
    }
    let left = 0..<pad
    let right = (pad + cache.objectSize)..<(pad + cache.end)
    var isFree = isAllocated == false
    if cache.flagBits & redZone != 0 {
      guard let filled = Self.fill(bytes, left, right, isAllocated) else { return [] }
      isFree = filled == Fill.free
      check(.leftRedZone, left, filled)
      check(.rightRedZone, right, filled)
      if !isFree, let asked = askedBytes(bytes, cache) {
        check(.kmallocRedZone, (pad + asked)..<(pad + cache.objectSize), Fill.active)
      }
    } else {
      check(.padding, right, Fill.padding)
    }
    guard cache.flagBits & poison != 0 else { return result }
    if isFree, cache.flagBits & objectPoison != 0, cache.flagBits & kasan == 0 {
      let last = pad + cache.objectSize - 1
      check(.poison, pad..<last, Fill.poison)
      check(.poison, last..<(last + 1), Fill.poisonEnd)
    }
    if let used = usedEnd(cache), used < cache.size { check(.padding, used..<cache.size, Fill.padding) }
    return result
  }

  /// What is wrong after the last object of `slab`.
  func damage(behindLast slab: SlabPage, _ cache: SlabCache) -> SlabDamage? {
    let used = UInt64(cache.size * slab.count)
    guard !isSLAB, cache.flagBits & poison != 0, used < slab.bytes, slab.bytes - used < UInt64(cache.size),
      case let start = slab.base &+ used, let bytes = memory.bytes(at: start, count: Int(slab.bytes - used))
    else { return nil }
    return Self.difference(bytes, 0..<bytes.count, Fill.padding, .padding, at: start)
  }

  /// The damage of the free pointer at `place`, which is invalid.
  func damage(ofPointerAt place: UInt64) -> SlabDamage? {
    guard place <= .max - 8, let bytes = memory.bytes(at: place, count: 8) else { return nil }
    return SlabDamage(kind: .freePointer, range: place..<(place + 8), expected: nil, found: bytes)
  }

  /// The bytes that were asked for of an object of kmalloc, whose red zone begins behind them; nil if that is not kept.
  ///
  /// - Parameter bytes: the object from its left red zone on.
  private func askedBytes(_ bytes: [UInt8], _ cache: SlabCache) -> Int? {
    guard kmalloc != 0, cache.flagBits & kmalloc != 0, cache.flagBits & storeUser != 0, let trackBytes,
      hasKmallocRedZone.value
    else { return nil }
    let place = cache.redLeftPad + cache.end + (cache.freePointer >= cache.end ? 8 : 0) + trackBytes
    guard place + 4 <= bytes.count else { return nil }
    // An int, or the low half of a long.
    let asked = Int(bytes.word32(place))
    return asked < cache.objectSize ? asked : nil
  }

  /// Where in an object, from its left red zone on, the allocator has nothing of its own any more; nil if unknown.
  private func usedEnd(_ cache: SlabCache) -> Int? {
    guard cache.flagBits & kasan == 0 else { return nil }
    var end = cache.redLeftPad + cache.end + (cache.freePointer >= cache.end ? 8 : 0)
    if cache.flagBits & storeUser != 0 {
      guard let trackBytes else { return nil }
      end += trackBytes
      // The size originally requested, 4 or 8 bytes.
      if cache.flagBits & kmalloc != 0 { end += 8 }
    }
    return end
  }

  /// What the red zones of an object are filled with by its state. They have their own word for it where both have only
  /// the other one: the allocator gives up the lists of a slab that it found damaged.
  private static func fill(
    _ bytes: [UInt8], _ left: Range<Int>, _ right: Range<Int>, _ isAllocated: Bool?
  ) -> UInt8? {
    let both = bytes[left] + bytes[right]
    guard !both.isEmpty else { return nil }
    let free = both.count { $0 == Fill.free }
    let active = both.count { $0 == Fill.active }
    if free == both.count { return Fill.free }
    if active == both.count { return Fill.active }
    return isAllocated.map { $0 ? Fill.active : Fill.free } ?? (free > active ? Fill.free : Fill.active)
  }

  /// The bytes of `part` that are not `expected`; nil if there are none.
  static func difference(
    _ bytes: [UInt8], _ part: Range<Int>, _ expected: UInt8, _ kind: SlabDamage.Kind, at start: UInt64
  ) -> SlabDamage? {
    guard let first = bytes[part].firstIndex(where: { $0 != expected }),
      let last = bytes[part].lastIndex(where: { $0 != expected })
    else { return nil }
    return SlabDamage(
      kind: kind, range: (start &+ UInt64(first))..<(start &+ UInt64(last) &+ 1), expected: UInt64(expected),
      found: Array(bytes[first...min(last, first + SlabDamage.shown - 1)]))
  }
}
