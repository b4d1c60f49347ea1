import Bytes
import DebugInfo

/// A slab cache (`struct kmem_cache`).
package struct SlabCache: Hashable, Sendable {
  /// The address of its `struct kmem_cache`.
  package let address: UInt64
  /// Its name; of merged caches, the first one's.
  package let name: String
  /// Bytes of an object.
  package let objectSize: Int
  /// Bytes from one object to the next.
  package let size: Int
  /// The page order of its slabs; nil if unknown.
  package let order: Int?
  /// Bytes of the red zone before each object.
  package let redLeftPad: Int
  /// Objects per slab, if that is the same for all slabs, as in SLAB.
  let perSlab: Int?
  /// The offset of the free pointer in an object; 0 for SLAB, which has none.
  let freePointer: Int
  /// The end of the object itself; its metadata follows (`inuse`).
  let end: Int
  /// The key of obfuscated free pointers (`random`); nil if they are plain.
  let random: UInt64?
  /// `flags`.
  let flagBits: UInt64

  /// The largest stride believed: no object is larger than a slab of the highest order.
  private static let largest = 1 << 26

  /// nil if it cannot be read, or is not a cache.
  init?(_ memory: KernelMemory, _ layout: SlabLayout, at address: UInt64) {
    let object = StructView(space: memory, address: address)
    guard address & 7 == 0, let size = object.number(layout.size), let objectSize = object.number(layout.objectSize),
      let freePointer = layout.freePointer == nil ? 0 : object.number(layout.freePointer),
      let end = layout.end == nil ? objectSize : object.number(layout.end),
      let nameAt = object.pointer(layout.name), let name = memory.string(at: nameAt, limit: Limits.cacheName),
      !name.isEmpty, 8...UInt64(Self.largest) ~= size, 1...size ~= objectSize, freePointer <= size - 8, end <= size
    else { return nil }
    let pad = object.number(layout.redLeftPad) ?? 0
    guard pad < size else { return nil }
    self.address = address
    self.name = name
    self.size = Int(size)
    self.objectSize = Int(objectSize)
    self.freePointer = Int(freePointer)
    self.end = Int(end)
    redLeftPad = Int(pad)
    // The order in the upper bits, the number of objects in the low 16. (OO_SHIFT)
    let wide = object.number(layout.order).map { $0 >> 16 } ?? object.number(layout.array?.order)
    order = wide.flatMap { $0 < 30 ? Int($0) : nil }
    perSlab = object.number(layout.array?.perSlab).flatMap { 1...0x7fff ~= $0 ? Int($0) : nil }
    guard layout.array == nil || perSlab != nil else { return nil }
    random = layout.random.flatMap { object.number($0) }
    flagBits = object.number(layout.flags) ?? 0
  }
}
