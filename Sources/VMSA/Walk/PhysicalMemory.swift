import Bytes

/// The physical memory of a machine, as far as a dump holds it.
///
/// The conforming types are the dump formats; a walk is generic over them and specialised for each.
/// Any number of threads may read at once.
public protocol PhysicalMemory: Sendable {
  /// The little-endian 64-bit word at `address`, which is a multiple of 8.
  func word(at address: PhysicalAddress) throws(MemoryFault) -> UInt64

  /// Fills `buffer` with the bytes from `address` on: all of them, or an error.
  func read(_ address: PhysicalAddress, into buffer: inout MutableRawSpan) throws(MemoryFault)

  /// Why the byte at `address` cannot be read, or nil if it can: without reading the page itself.
  func absence(at address: PhysicalAddress) -> Absence?

  /// Shows `body` all memory that can be read, in pieces of 4 KiB to 1 MiB that begin at multiples of 4 KiB
  /// where the memory does: in any order and on all cores at once, keeping nothing. It ends early when
  /// `body` returns false.
  func scan(_ body: @Sendable (PhysicalAddress, RawSpan) -> Bool)

  /// Walks `regime` for `address`, which has no tag: one dynamic call for the whole walk, whose loop is
  /// specialised for the conforming type.
  func walk(_ regime: TranslationRegime, _ address: VirtualAddress) -> WalkResult

  /// The same for a caller with many addresses: it begins at the tables that `cache` knows of walks of `regime`
  /// before, and lets it know those that it comes to.
  func walk(_ regime: TranslationRegime, _ address: VirtualAddress, cache: WalkCache) -> WalkResult

  /// The ranges of physical memory that the machine had, as the dump tells, in order and apart.
  var ranges: [Range<PhysicalAddress>] { get }
}

extension PhysicalMemory {
  /// Walks `regime` for `address`.
  @inlinable
  public func walk(_ regime: TranslationRegime, _ address: VirtualAddress) -> WalkResult {
    regime.walk(address, in: self)
  }

  /// Walks `regime` for `address` from the lowest table that `cache` knows.
  @inlinable
  public func walk(
    _ regime: TranslationRegime, _ address: VirtualAddress, cache: WalkCache
  ) -> WalkResult {
    var observer = cache.observer
    return regime.walk(address, in: self, observer: &observer)
  }

  /// `count` bytes from `address` on.
  public func bytes(at address: PhysicalAddress, count: Int) throws(MemoryFault) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withMutableRawSpan { raw throws(MemoryFault) in try read(address, into: &raw) }
    return bytes
  }
}
