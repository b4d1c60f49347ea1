import Glibc

/// Where `pattern` stands in `bytes`: the offsets, in order, overlapping ones too.
public func occurrences(of pattern: [UInt8], in bytes: [UInt8]) -> [Int] {
  var result: [Int] = []
  unsafe bytes.withUnsafeBufferPointer { haystack in
    unsafe pattern.withUnsafeBufferPointer { needle in
      guard let first = unsafe needle.first, let start = needle.baseAddress else { return }
      var position = 0
      while needle.count <= haystack.count - position, let base = haystack.baseAddress {
        guard let hit = unsafe memchr(base + position, Int32(first), haystack.count - position - needle.count + 1)
        else {
          return
        }
        let offset = unsafe base.distance(to: hit.assumingMemoryBound(to: UInt8.self))
        if unsafe memcmp(base + offset, start, needle.count) == 0 { result.append(offset) }
        position = offset + 1
      }
    }
  }
  return result
}
