import Bytes
import CElf

/// Searching for bytes in bytes.
///
/// Safety: memmem is given the lengths of both, and returns a pointer into the first or nil. No pointer leaves its
/// closure.
extension RawSpan {
  /// The first offset of `pattern`, which is not empty; nil if it does not occur.
  package func firstOccurrence(of pattern: [UInt8]) -> Int? {
    unsafe withUnsafeBytes { bytes in
      unsafe pattern.withUnsafeBytes { pattern in
        guard let base = bytes.baseAddress, let wanted = pattern.baseAddress else { return nil }
        return unsafe memmem(base, bytes.count, wanted, pattern.count).map { unsafe base.distance(to: $0) }
      }
    }
  }
}

extension [UInt8] {
  /// The first offset of `pattern` in `range`, which lies within the bytes; nil if it does not occur.
  package func firstOccurrence(of pattern: [UInt8], in range: Range<Int>) -> Int? {
    rawSpan.slice(at: range.lowerBound, count: range.count)?.firstOccurrence(of: pattern).map { range.lowerBound + $0 }
  }

  /// All offsets of `pattern`, in order, including overlapping ones.
  package func occurrences(of pattern: [UInt8]) -> [Int] {
    var result: [Int] = []
    var position = 0
    while !pattern.isEmpty, position < count, let hit = firstOccurrence(of: pattern, in: position..<count) {
      result.append(hit)
      position = hit + 1
    }
    return result
  }
}
