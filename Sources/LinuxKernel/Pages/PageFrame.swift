/// A page frame and what its `struct page` says.
package struct PageFrame: Sendable {
  /// The frame: its physical address over the page size.
  package let frame: UInt64
  /// Where its `struct page` is.
  package let structure: UInt64
  /// Its physical address.
  package let physical: UInt64
  /// What it is used for.
  package let use: PageUse
  /// Its words; nil if its `struct page` cannot be read.
  package let words: Words?

  /// What `/proc/kpageflags` gives for a frame without a `struct page`.
  package static let absentFlags = KPageFlags.noPage

  /// What is in a `struct page`.
  package struct Words: Sendable {
    /// `flags`.
    package let flags: UInt64
    /// What `/proc/kpageflags` would give.
    package let kpageflags: UInt64
    /// `_refcount`.
    package let refcount: Int
    /// `_mapcount` + 1; 0 if a type is in its place.
    package let mapcount: Int
    /// The kernel's name for the type that is in the place of `_mapcount`; nil of a count, and where the use says it.
    package let type: String?
    /// `mapping`, as it is there.
    package let mapping: UInt64
    /// `index`; nil if the kernel does not tell where that is.
    package let index: UInt64?
    /// The `struct page` of the head of its compound page: its own where it is none.
    package let head: UInt64
    /// What it is charged to, `memcg_data` or `mem_cgroup` of its head; 0 if that is nothing, or it is a slab.
    package let charge: UInt64
    /// log2 of the pages of that compound page.
    package let order: Int
    /// log2 of the pages of the free block that it is in; nil if it is in none.
    package let buddyOrder: Int?
    /// The number of its zone; nil if the kernel does not tell how many there are.
    package let zone: Int?
    /// Its NUMA node, likewise.
    package let node: Int?
  }
}
