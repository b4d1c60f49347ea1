import Bytes
import DebugInfo

/// A slab of a cache: the pages that hold its objects.
struct SlabPage: Sendable {
  /// The address of its `struct slab`, or `struct page`.
  let address: UInt64
  /// The linear address of its first page.
  let base: UInt64
  /// Where its objects begin: at the base, or after what SLAB puts before them.
  let start: UInt64
  /// The size of its pages in bytes.
  let bytes: UInt64
  /// The number of its objects.
  let count: Int
  /// The number of objects not on its own free list (`inuse`).
  let inUse: Int
  /// The first free object, or 0.
  let freelist: UInt64

  /// nil if it cannot be read, or its objects do not fit in its pages.
  ///
  /// - Parameter bytes: the length of its pages.
  init?(
    _ memory: KernelMemory, _ layout: SlabLayout, at address: UInt64, base: UInt64, bytes: UInt64, _ cache: SlabCache
  ) {
    let object = StructView(space: memory, address: address)
    let array = layout.array
    guard let count = array == nil ? object.number(layout.objects) : cache.perSlab.map(UInt64.init),
      let inUse = object.number(layout.inUse),
      let freelist = object.pointer(layout.freelist), count > 0, count <= 0x7fff,
      let start = array == nil ? base : object.pointer(array?.start), start &- base < bytes,
      UInt64(cache.size) * count <= bytes - (start - base), inUse <= count
    else { return nil }
    self.start = start
    self.address = address
    self.base = base
    self.bytes = bytes
    self.count = Int(count)
    self.inUse = Int(inUse)
    self.freelist = freelist
  }

  /// The index of the object that begins at `pointer` after its red zone, as on free lists; nil if none does.
  func index(ofFree pointer: UInt64, _ cache: SlabCache) -> Int? {
    let distance = pointer &- start &- UInt64(cache.redLeftPad)
    guard distance < UInt64(cache.size * count), distance % UInt64(cache.size) == 0 else { return nil }
    return Int(distance) / cache.size
  }

  /// The index of the object that `address` belongs to: the one that begins at or before it, whose overrun would reach
  /// it, or else the first; nil after the last one.
  func index(at address: UInt64, _ cache: SlabCache) -> Int? {
    let first = object(0, cache)
    guard address >= first else { return address >= start ? 0 : nil }
    let index = (address - first) / UInt64(cache.size)
    return index < UInt64(count) ? Int(index) : nil
  }

  /// The address of object `index`, after its left red zone.
  func object(_ index: Int, _ cache: SlabCache) -> UInt64 {
    start &+ UInt64(index * cache.size + cache.redLeftPad)
  }

  /// The free objects, from SLAB's array of their indices.
  func freeIndices(_ array: SlabArrayLayout, _ memory: KernelMemory) -> FreeChain {
    var chain = FreeChain()
    guard let bytes = memory.bytes(at: freelist, count: count * array.indexSize) else {
      chain.damage = .unreadable(freelist)
      return chain
    }
    for place in inUse..<count {
      let at = place * array.indexSize
      let index = array.indexSize == 1 ? Int(bytes[at]) : Int(bytes[at]) | Int(bytes[at + 1]) << 8
      guard index < count else {
        chain.damage = .number(index, count)
        return chain
      }
      chain.indices.append(index)
    }
    return chain
  }

  /// Follows a free list of this slab.
  func walk(from first: UInt64, _ cache: SlabCache, _ memory: KernelMemory) -> FreeChain {
    var chain = FreeChain()
    var seen = [Bool](repeating: false, count: count)
    var here = first
    while here != 0 {
      guard let index = index(ofFree: here, cache) else {
        chain.damage = .foreign(here, after: chain.indices.last.map { object($0, cache) })
        return chain
      }
      guard !seen[index] else {
        chain.damage = .circle(here, after: chain.indices.last.map { object($0, cache) })
        return chain
      }
      seen[index] = true
      chain.indices.append(index)
      let place = here &+ UInt64(cache.freePointer)
      guard let raw = memory.word(at: place) else {
        chain.damage = .unreadable(here)
        return chain
      }
      let (newer, older) = FreePointer.candidates(raw, at: place, cache.random)
      let next = memory.untagged(newer)
      let other = memory.untagged(older)
      let isNewer = next == 0 || self.index(ofFree: next, cache) != nil
      here = isNewer || other != 0 && self.index(ofFree: other, cache) == nil ? next : other
    }
    return chain
  }
}

/// A free list as far as it could be followed.
struct FreeChain: Sendable {
  /// The free objects.
  var indices: [Int] = []
  /// Why it broke off.
  var damage: Damage?

  enum Damage: Sendable {
    /// A pointer to no object of the slab, in the object `after`; nil if the list's head is the bad pointer.
    case foreign(UInt64, after: UInt64?)
    /// A cycle: an object seen twice, the second time after the object `after`.
    case circle(UInt64, after: UInt64?)
    /// An object that is not in the dump.
    case unreadable(UInt64)
    /// An index that no object of the slab has.
    case number(Int, Int)
    /// A length that contradicts the slab's `inuse`.
    case count(found: Int, expected: Int)

    /// The object whose free pointer is wrong; nil if the list's head is wrong, or the object is unknown.
    var object: UInt64? {
      switch self {
      case .foreign(_, let after), .circle(_, let after): after
      case .unreadable, .count, .number: nil
      }
    }

    /// What is wrong with the free list of `owner`, as text.
    func text(of owner: String) -> String {
      switch self {
      case .foreign(let pointer, let after):
        let place = after.map { "the free pointer of the object at \(hex($0))" } ?? "its first pointer"
        return "the free list of \(owner) is damaged: \(place) leads to \(hex(pointer)), which is no object of the slab"
      case .circle(let object, _): return "the free list of \(owner) is damaged: it runs in a circle at \(hex(object))"
      case .unreadable(let object):
        return "the free list of \(owner) breaks off: the object at \(hex(object)) is not in the dump"
      case .number(let index, let count):
        return "the free list of \(owner) is damaged: it has object \(index), and the slab has \(count)"
      case .count(let found, let expected):
        return "the free list of \(owner) is damaged: it has \(found) objects, and the slab counts \(expected)"
      }
    }
  }
}
