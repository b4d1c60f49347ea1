import Bytes
import CrashDump
import KernelLayout
import VMSA

/// Finds parts of raw memory given at wrong addresses, if the part with the kernel's tables is in place: the linear map
/// covers all RAM, so a part that it does not cover, and that fits where memory is missing, was moved.
struct MisplacedParts {
  private let parts: [Range<UInt64>]
  /// The memory in the linear map, sorted and disjoint.
  private let mapped: [Range<UInt64>]
  /// The memory in the linear map that no part holds.
  private let missing: [Range<UInt64>]

  /// - Parameter linearMap: the addresses of the linear map; nil if unknown.
  init(_ dump: DumpFile, _ regime: TranslationRegime, _ linearMap: AddressLayout.Span?) {
    parts = dump.placedParts
    guard parts.count > 1, let linearMap, linearMap.size > 0 else {
      (mapped, missing) = ([], [])
      return
    }
    var memory = MappedMemory(granule: regime.granule)
    let first = max(linearMap.start, regime.firstAddress)
    _ = regime.sweep(
      first...max(first, linearMap.end &- 1), in: dump.memory, tableLimit: dump.tableLimit(regime.granule),
      observer: &memory)
    let mapped = memory.ranges.sorted { $0.lowerBound < $1.lowerBound }.joined
    let given = parts.sorted { $0.lowerBound < $1.lowerBound }
    self.mapped = mapped
    missing = Array(
      mapped.lazy.flatMap { $0.subtracting(given) }.filter { $0.count >= Self.leastSize }.prefix(Self.mostGaps))
  }

  /// A warning for each part that was moved.
  var warnings: [Diagnostic] {
    parts.enumerated().compactMap { number, part in
      let size = part.upperBound - part.lowerBound
      guard size >= Self.leastSize, mappedBytes(part) < size / 10 * 9 else { return nil }
      // A gap in memory begins or ends where the part belongs.
      let places = missing.flatMap { gap in
        [gap.lowerBound, gap.upperBound >= size ? gap.upperBound - size : gap.lowerBound]
      }
      guard
        let place = places.first(where: { $0 <= .max - size && mappedBytes($0..<($0 + size)) >= size / 10 * 9 })
      else { return nil }
      let isLow = place > part.lowerBound
      let distance = isLow ? place - part.lowerBound : part.lowerBound - place
      let range = "\(hex(part.lowerBound))-\(hex(part.upperBound))"
      return Diagnostic(
        .partMisplaced, range,
        "the kernel's linear map has memory at \(hex(place)) that is not given, and not all of "
          + "\(range): that part, the \(MisplacedMemory.ordinal(number)), seems to be "
          + "\(hex(distance)) too \(isLow ? "low" : "high")")
    }
  }

  /// Smaller ranges belong to firmware, or are withheld from the kernel.
  private static let leastSize = 1 << 20
  /// More gaps than a machine has memory banks say nothing about a part.
  private static let mostGaps = 64

  private func mappedBytes(_ range: Range<UInt64>) -> UInt64 {
    mapped.reduce(0) { $0 + UInt64($1.clamped(to: range).count) }
  }
}

/// The physical memory that tables map.
private struct MappedMemory: SweepObserver {
  let granule: Granule
  var ranges: [Range<UInt64>] = []

  mutating func enter(_ table: SweptTable) -> Bool { ranges.count < Limits.mappedRanges }
  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    let start = physical.rawValue
    let size = min(entry.size, .max - start)
    if let last = ranges.last, last.upperBound == start {
      ranges[ranges.count - 1] = last.lowerBound..<(start + size)
    } else {
      ranges.append(start..<(start + size))
    }
  }
}

extension [Range<UInt64>] {
  /// These sorted ranges with adjacent and overlapping ones joined.
  fileprivate var joined: [Range<UInt64>] {
    var result: [Range<UInt64>] = []
    for next in self {
      if let last = result.last, next.lowerBound <= last.upperBound {
        result[result.count - 1] = last.lowerBound..<Swift.max(last.upperBound, next.upperBound)
      } else {
        result.append(next)
      }
    }
    return result
  }
}

extension Range<UInt64> {
  /// These ranges minus `others`, which are sorted.
  fileprivate func subtracting(_ others: [Range<UInt64>]) -> [Range<UInt64>] {
    var result: [Range<UInt64>] = []
    var here = lowerBound
    for other in others where other.upperBound > here && other.lowerBound < upperBound {
      if other.lowerBound > here { result.append(here..<other.lowerBound) }
      here = Swift.min(other.upperBound, upperBound)
    }
    if here < upperBound { result.append(here..<upperBound) }
    return result
  }
}
