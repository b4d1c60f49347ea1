/// A user address within its process.
package struct UserPlace: Sendable {
  /// A task of the process.
  package let task: KernelTask
  /// The VMA that the address is in; nil if none is.
  package let mapping: UserMapping?
  /// The offset in the file, in bytes; nil without a file.
  package let fileOffset: UInt64?
  /// The page cache's frame for that offset; nil if it is not cached.
  package let cachedFrame: UInt64?
  /// The swap area and slot, if it is a shmem page in swap.
  package let swap: (type: Int, offset: UInt64)?
}
