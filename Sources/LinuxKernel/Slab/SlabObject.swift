/// A place in a slab cache: an object, or what lies around one.
package struct SlabObject: Sendable {
  /// The cache.
  package let cache: SlabCache
  /// Where the object begins, after its red zone; nil in the rest of a slab after its last object.
  package let address: UInt64?
  /// Its index in the slab, or in the pool of KFENCE; nil likewise.
  package let index: Int?
  /// Bytes of the object: what was asked for if it is KFENCE's.
  package let size: Int
  /// Bytes from the object's start; negative in the red zone before the first of a slab.
  package let offset: Int
  /// What of it the address is in.
  package let part: Part
  /// Whether it is allocated; nil if unknown, or there is no object.
  package let isAllocated: Bool?
  /// Where it is, if it is free or about to be.
  package let freeList: FreeList?
  /// Why it cannot be told whether it is allocated.
  package let problem: String?
  /// Who allocated and freed it, as far as the kernel keeps that.
  package let tracks: [SlabTrack]
  /// The path of the memory cgroup that it is charged to; nil if it is charged to none, or that is not known.
  package let cgroup: String?
  /// What of it was written over.
  package let damage: [SlabDamage]

  /// What of an object's place an address is in.
  package enum Part: String, Sendable {
    /// What its owner may use.
    case object
    /// What must not be written: after it, before the next one, before the first one.
    case redZone = "red zone"
    /// What the allocator keeps behind it.
    case metadata
    /// Behind it, up to the next object.
    case padding
    /// Behind the last object of a slab.
    case remainder = "tail"
  }
}

/// What the allocator says of an address.
package enum SlabPlace: Sendable {
  /// It is in a slab.
  case object(SlabObject)
  /// It is in a page of KFENCE that has no object: "guard page" or "unused page".
  case kfence(String)
  /// It is in an allocation of kmalloc that is too large for a cache: pages of its own.
  case largeKmalloc(start: UInt64, size: UInt64)
  /// It is in a slab that cannot be read: why.
  case damaged(String)
}
