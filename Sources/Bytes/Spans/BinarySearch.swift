/// Binary search in anything sorted: an array, a span, a table in a file.
extension Range<Int> {
  /// The first index of the range that `isAbove` holds for, or the end of the range. It must hold for every index after
  /// that one, and for no index before it.
  ///
  /// - Complexity: O(log n) calls of `isAbove`.
  @inlinable @inline(__always)
  package func partitioningIndex(where isAbove: (Int) -> Bool) -> Int {
    var low = lowerBound
    var high = upperBound
    while low < high {
      // The distance may be more than `Int.max`.
      let middle = low &+ Int(bitPattern: UInt(bitPattern: high &- low) &>> 1)
      if isAbove(middle) { high = middle } else { low = middle &+ 1 }
    }
    return low
  }
}

extension Array {
  /// The index of the first element that `isAbove` holds for, or `count`. It must hold for every element after that
  /// one, and for no element before it.
  ///
  /// - Complexity: O(log n) calls of `isAbove`.
  @inlinable @inline(__always)
  package func partitioningIndex(where isAbove: (Element) -> Bool) -> Int {
    indices.partitioningIndex { isAbove(self[$0]) }
  }
}
