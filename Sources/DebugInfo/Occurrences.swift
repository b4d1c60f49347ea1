import CElf

extension [UInt8] {
  /// Where `pattern` first stands in `range`, which lies within the bytes; nil where it does not.
  public func firstOccurrence(of pattern: [UInt8], in range: Range<Int>) -> Int? {
    unsafe withUnsafeBufferPointer { bytes in
      unsafe pattern.withUnsafeBufferPointer { pattern in
        guard let base = bytes.baseAddress, let wanted = pattern.baseAddress, range.upperBound <= bytes.count else {
          return nil
        }
        guard let hit = unsafe memmem(base + range.lowerBound, range.count, wanted, pattern.count) else { return nil }
        return unsafe base.distance(to: hit.assumingMemoryBound(to: UInt8.self))
      }
    }
  }

  /// Where `pattern` stands: the offsets, in order, overlapping ones too.
  public func occurrences(of pattern: [UInt8]) -> [Int] {
    var result: [Int] = []
    var position = 0
    while !pattern.isEmpty, position < count, let hit = firstOccurrence(of: pattern, in: position..<count) {
      result.append(hit)
      position = hit + 1
    }
    return result
  }
}
