/// What a page frame is used for.
package enum PageUse: String, CaseIterable, Sendable {
  /// In the page allocator, or on a per-CPU free list.
  case free
  /// In a slab.
  case slab
  /// A page table.
  case pageTable = "page-table"
  /// A kernel stack.
  case stack
  /// The kernel image.
  case kernelImage = "kernel-image"
  /// A vmalloc area, including modules.
  case vmalloc
  /// Per-CPU memory.
  case perCPU = "per-cpu"
  /// Anonymous memory of processes.
  case anonymous
  /// Page cache of a file, including shmem.
  case file
  /// A hugetlb page.
  case huge
  /// Reserved at boot, and never given to the page allocator.
  case reserved
  /// Its `struct page` was filtered out of the dump.
  case filtered
  /// It has no `struct page`.
  case absent
  /// In use for something else.
  case other
}
