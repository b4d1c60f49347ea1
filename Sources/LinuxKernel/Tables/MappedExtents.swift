import Bytes
import VMSA

/// Where virtual addresses lie in physical memory, one entry a run that is contiguous in both.
struct MappedExtents: SweepObserver {
  /// Virtual addresses that follow each other, and the physical ones that they map.
  struct Extent {
    var virtual: UInt64
    var physical: UInt64
    var size: UInt64
    var isWritable: Bool
    var isExecutable: Bool
  }

  /// By virtual address.
  private(set) var all: [Extent] = []
  /// Whether there were more of them than are kept.
  private(set) var isCutShort = false

  /// A machine of a terabyte with 4 KiB pages throughout has fewer beside its linear map.
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

  /// One page of shadow for all of a region is left out: its addresses are as many as the region's.
  mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {}
}
