import Bytes

/// The physical memory of a machine, as far as it is in a dump.
///
/// The conforming types are the dump formats; a walk is generic over them and specialised for each.
/// Any number of threads may read at once.
public protocol PhysicalMemory: Sendable {
  /// The little-endian 64-bit word at `address`, which is a multiple of 8.
  func word(at address: PhysicalAddress) throws(MemoryFault) -> UInt64

  /// Fills `buffer` with the bytes at `address`: all of them, or throws.
  func read(_ address: PhysicalAddress, into buffer: inout MutableRawSpan) throws(MemoryFault)

  /// Why the byte at `address` cannot be read, or nil if it can, determined without reading the page itself.
  func absence(at address: PhysicalAddress) -> Absence?

  /// Shows `body` all readable memory, in pieces of 4 KiB to 1 MiB, aligned to 4 KiB if the memory is: in any order, on
  /// all cores at once, and without caching. It ends early if `body` returns false.
  func scan(_ body: @Sendable (PhysicalAddress, RawSpan) -> Bool)

  /// Walks `regime` for `address`, which has no tag: one dynamic call for the whole walk, whose loop is
  /// specialised for the conforming type.
  func walk(_ regime: TranslationRegime, _ address: VirtualAddress) -> WalkResult

  /// The same for a caller with many addresses: the walk begins at a table that `cache` knows from earlier walks of
  /// `regime`, and adds those that it visits.
  func walk(_ regime: TranslationRegime, _ address: VirtualAddress, cache: WalkCache) -> WalkResult

  /// The machine's ranges of physical memory as the dump describes them, sorted and disjoint.
  var ranges: [Range<PhysicalAddress>] { get }
}

extension PhysicalMemory {
  /// Walks `regime` for `address`.
  @inlinable
  public func walk(_ regime: TranslationRegime, _ address: VirtualAddress) -> WalkResult {
    regime.walk(address, in: self)
  }

  /// Walks `regime` for `address`, starting at the lowest table in `cache`.
  @inlinable
  public func walk(
    _ regime: TranslationRegime, _ address: VirtualAddress, cache: WalkCache
  ) -> WalkResult {
    var observer = cache.observer
    return regime.walk(address, in: self, observer: &observer)
  }

  /// `count` bytes at `address`.
  public func bytes(at address: PhysicalAddress, count: Int) throws(MemoryFault) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withMutableRawSpan { raw throws(MemoryFault) in try read(address, into: &raw) }
    return bytes
  }
}
