import Bytes
import VMSA

/// The mappings of virtual to physical addresses, one entry per run that is contiguous in both.
struct MappedExtents: SweepObserver {
  /// A run of virtual addresses, and the physical ones that they map.
  struct Extent {
    var virtual: UInt64
    var physical: UInt64
    var size: UInt64
    var isWritable: Bool
    var isExecutable: Bool
  }

  /// Sorted by virtual address.
  private(set) var all: [Extent] = []
  /// Whether there were more than are kept.
  private(set) var isCutShort = false

  /// The most kept: a machine of a terabyte, all in 4 KiB pages, has fewer besides its linear map.
  private static let most = 1 << 24

  mutating func enter(_ table: SweptTable) -> Bool { !isCutShort }

  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    let attributes = Attributes(entry.descriptor, tables: entry.tables)
    let next = Extent(
      virtual: entry.virtual.rawValue, physical: physical.rawValue, size: entry.size,
      isWritable: attributes.isWritable, isExecutable: attributes.isExecutableEL1)
    if let last = all.last, last.virtual &+ last.size == next.virtual, last.physical &+ last.size == next.physical,
      last.isWritable == next.isWritable, last.isExecutable == next.isExecutable
    {
      all[all.count - 1].size += next.size
    } else if all.count < Self.most {
      all.append(next)
    } else {
      isCutShort = true
    }
  }

  /// A single shadow page mapped for a whole region is left out: it would have as many addresses as the region.
  mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {}
}
