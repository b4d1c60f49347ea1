/// A place in a slab cache: in an object or around one.
package struct SlabObject: Sendable {
  /// The cache.
  package let cache: SlabCache
  /// The object's address, after its left red zone; nil after the last object of a slab.
  package let address: UInt64?
  /// Its index in the slab, or in the KFENCE pool; nil after the last object.
  package let index: Int?
  /// Whether KFENCE has it, in a page of its own.
  package var isKfence = false
  /// Bytes of the object: what was asked for where it is KFENCE's.
  package let size: Int
  /// The offset from the object's start; negative in the red zone before the first of a slab.
  package let offset: Int
  /// The part that the address is in.
  package let part: Part
  /// Whether it is allocated; nil if unknown, or there is no object.
  package let isAllocated: Bool?
  /// The list it is on, if it is free or about to be.
  package let freeList: FreeList?
  /// Why it is unknown whether it is allocated.
  package let problem: String?
  /// Its allocation and free tracks, if the kernel keeps them.
  package let tracks: [SlabTrack]
  /// The path of the memory cgroup that it is charged to; nil if it is charged to none, or that is unknown.
  package let cgroup: String?
  /// Its damage.
  package let damage: [SlabDamage]

  /// A part of an object's slot.
  package enum Part: String, Sendable {
    /// What its owner may use.
    case object
    /// A red zone, which must not be written: after the object, before the next one, before the first one.
    case redZone = "red zone"
    /// The allocator's metadata after the object.
    case metadata
    /// Padding up to the next object.
    case padding
    /// After the last object of a slab.
    case remainder = "tail"
  }
}

/// What the allocator has at an address.
package enum SlabPlace: Sendable {
  /// It is in a slab.
  case object(SlabObject)
  /// It is in a KFENCE page without an object: "guard page" or "unused page".
  case kfence(String)
  /// It is in a kmalloc allocation too large for a cache, which has pages of its own.
  case largeKmalloc(start: UInt64, size: UInt64)
  /// It is in a slab that cannot be read, for this reason.
  case damaged(String)
}
