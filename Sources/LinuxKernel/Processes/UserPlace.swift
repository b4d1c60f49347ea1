/// Where an address of user space is in its process.
package struct UserPlace: Sendable {
  /// A task of the process.
  package let task: KernelTask
  /// The VMA that the address is in; nil if none is.
  package let mapping: UserMapping?
  /// Where the address is in the file, in bytes; nil without one.
  package let fileOffset: UInt64?
  /// The frame that the page cache has for that; nil if it has none.
  package let cachedFrame: UInt64?
  /// The swap area and the slot in it, where shared memory has its page there.
  package let swap: (type: Int, offset: UInt64)?
}
