import Bytes
import CElf

/// Where some bytes stand among others.
///
/// Safety: memmem reads the bytes of both, whose lengths it is given, and returns a place among the first or nil. The
/// pointers do not leave the closures that have them.
extension RawSpan {
  /// Where `pattern`, which is not empty, first stands; nil if it does not.
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
  /// Where `pattern` first stands in `range`, which lies within the bytes; nil if it does not.
  package func firstOccurrence(of pattern: [UInt8], in range: Range<Int>) -> Int? {
    rawSpan.slice(at: range.lowerBound, count: range.count)?.firstOccurrence(of: pattern).map { range.lowerBound + $0 }
  }

  /// Where `pattern` stands: the offsets, in order, overlapping ones too.
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
