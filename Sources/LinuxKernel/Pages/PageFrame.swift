/// A page frame and what its `struct page` says.
package struct PageFrame: Sendable {
  /// The page frame number.
  package let frame: UInt64
  /// The address of its `struct page`.
  package let structure: UInt64
  /// Its physical address.
  package let physical: UInt64
  /// What it is used for.
  package let use: PageUse
  /// The contents of its `struct page`; nil if that cannot be read.
  package let words: Words?

  /// What `/proc/kpageflags` gives for a frame without a `struct page`.
  package static let absentFlags = KPageFlags.noPage

  /// The contents of a `struct page`.
  package struct Words: Sendable {
    /// `flags`.
    package let flags: UInt64
    /// What `/proc/kpageflags` would give.
    package let kpageflags: UInt64
    /// `_refcount`.
    package let refcount: Int
    /// `_mapcount` + 1; 0 if a type is in its place.
    package let mapcount: Int
    /// The kernel's name for the page type in place of `_mapcount`; nil if it is a count, or `use` implies the type.
    package let type: String?
    /// `mapping`, the raw word.
    package let mapping: UInt64
    /// `index`; nil if its offset is unknown.
    package let index: UInt64?
    /// The address of the head `struct page` of its compound page; its own if it is not compound.
    package let head: UInt64
    /// What it is charged to, `memcg_data` or `mem_cgroup` of its head; 0 if uncharged, or for a slab.
    package let charge: UInt64
    /// The order of that compound page.
    package let order: Int
    /// The order of the free block that it is in; nil if it is in none.
    package let buddyOrder: Int?
    /// The number of its zone; nil if the number of zones is unknown.
    package let zone: Int?
    /// Its NUMA node; nil in the same case.
    package let node: Int?
  }
}
