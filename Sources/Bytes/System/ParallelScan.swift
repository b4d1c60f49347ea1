import Dispatch
import Synchronization

/// Work over ranges of addresses, shared out to all cores.
package enum ParallelScan {
  /// Bytes of one piece of work.
  private static let pieceSize: UInt64 = 1 << 20

  /// Calls `body` with each mebibyte of each of `ranges` and the number of the range, on all cores at once,
  /// until one call returns false.
  ///
  /// - Returns: false when one did.
  @discardableResult
  package static func run(_ ranges: [Range<UInt64>], _ body: @Sendable (Int, Range<UInt64>) -> Bool) -> Bool {
    var firstPiece: [Int] = []
    var count = 0
    for range in ranges {
      firstPiece.append(count)
      if !range.isEmpty { count += Int((range.upperBound - range.lowerBound - 1) / pieceSize) + 1 }
    }
    let ended = Atomic<Bool>(false)
    let starts = firstPiece
    DispatchQueue.concurrentPerform(iterations: count) { number in
      guard !ended.load(ordering: .relaxed) else { return }
      let index = starts.partitioningIndex { $0 > number } - 1
      let start = ranges[index].lowerBound + UInt64(number - starts[index]) * pieceSize
      // Memory may end at the last address.
      let left = ranges[index].upperBound - start
      let end = start + min(left, pieceSize)
      if !body(index, start..<end) { ended.store(true, ordering: .relaxed) }
    }
    return !ended.load(ordering: .relaxed)
  }
}
