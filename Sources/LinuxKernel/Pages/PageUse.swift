/// What a page frame is used for.
package enum PageUse: String, CaseIterable, Sendable {
  /// In the page allocator, or on a CPU's list of free pages.
  case free
  /// In a slab.
  case slab
  /// A table of translations.
  case pageTable = "page-table"
  /// Of a kernel stack.
  case stack
  /// Of the kernel image.
  case kernelImage = "kernel-image"
  /// In an area of vmalloc space: of modules, of vmalloc itself.
  case vmalloc
  /// Of the CPUs' copies of variables.
  case perCPU = "per-cpu"
  /// Of processes, with no file behind it.
  case anonymous
  /// Of a file, or of memory that is kept as one (shmem).
  case file
  /// A huge page of hugetlb.
  case huge
  /// Taken at boot, and never given to the page allocator.
  case reserved
  /// Its `struct page` was filtered out of the dump.
  case filtered
  /// It has no `struct page`.
  case absent
  /// In use for something else.
  case other
}
