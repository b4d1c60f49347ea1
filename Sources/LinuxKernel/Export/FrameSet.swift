import Bytes

/// A set of page frames as sorted, disjoint ranges.
struct FrameSet: Sendable {
  private(set) var ranges: [Range<UInt64>] = []

  /// The empty set.
  init() {}

  /// The frames of `ranges`, in any order.
  init(_ ranges: [Range<UInt64>]) {
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
      if let last = self.ranges.last, range.lowerBound <= last.upperBound {
        self.ranges[self.ranges.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
      } else {
        self.ranges.append(range)
      }
    }
  }

  /// Adds `frame`, which is above all others.
  mutating func append(_ frame: UInt64) {
    if let last = ranges.last, last.upperBound == frame {
      ranges[ranges.count - 1] = last.lowerBound..<(frame + 1)
    } else {
      ranges.append(frame..<(frame + 1))
    }
  }

  /// Whether `frame` is one of them.
  func contains(_ frame: UInt64) -> Bool {
    let index = ranges.partitioningIndex { $0.upperBound > frame }
    return index < ranges.count && ranges[index].contains(frame)
  }
}
