import Bytes
import VMSA

/// Physical memory that two parts of a dump describe, each with bytes of its own.
struct Overlap: Sendable {
  /// The memory.
  var range: Range<UInt64>
  /// The part whose bytes are used: the one that begins first.
  var first: MemoryMap.Segment
  /// The other part.
  var second: MemoryMap.Segment

  /// The overlaps of parts at different places in the file, at most `Limits.overlaps`.
  static func all(of segments: [MemoryMap.Segment], fileCount: UInt64) -> [Overlap] {
    func end(_ segment: MemoryMap.Segment) -> UInt64 {
      let stored = segment.offset < fileCount ? min(segment.fileSize, fileCount - segment.offset) : 0
      return segment.physical + min(stored, .max - segment.physical)
    }
    let stored = segments.filter { end($0) > $0.physical }.sorted { ($0.physical, end($1)) < ($1.physical, end($0)) }
    guard var furthest = stored.first else { return [] }
    var result: [Overlap] = []
    for next in stored.dropFirst() {
      let range = next.physical..<max(next.physical, min(end(next), end(furthest)))
      if !range.isEmpty, next.offset &- next.physical != furthest.offset &- furthest.physical {
        guard result.count < Limits.overlaps else { break }
        result.append(Overlap(range: range, first: furthest, second: next))
      }
      if end(next) > end(furthest) { furthest = next }
    }
    return result
  }

  /// The address of the first 4 KiB compared that differ; nil if none do.
  ///
  /// - Parameter limit: how many more bytes may be compared; they are spread over a longer overlap.
  func firstDifference(in source: DumpBytes, limit: inout UInt64) -> UInt64? {
    let page: UInt64 = 4096
    let count = range.upperBound - range.lowerBound
    let pages = (count + page - 1) / page
    let looks = min(pages, limit / page)
    limit -= looks * page
    for look in 0..<looks {
      // At most 2^40 pages, and fewer than 2^20 comparisons.
      let start = range.lowerBound + look * pages / looks * page
      let size = min(page, range.upperBound - start)
      func bytes(_ segment: MemoryMap.Segment) -> [UInt8]? {
        let offset = segment.offset + (start - segment.physical)
        return source.bytes(offset..<(offset + size), limit: Int(page))
      }
      if let one = bytes(first), let other = bytes(second), one != other { return start }
    }
    return nil
  }
}

extension SegmentedMemory {
  /// One diagnostic for each overlap whose parts differ.
  ///
  /// - Parameters:
  ///   - limit: how many bytes may be compared.
  ///   - name: what a part is called.
  func conflicts(limit: UInt64, _ name: (MemoryMap.Segment) -> String) -> [Diagnostic] {
    var limit = limit
    return map.overlaps.compactMap { overlap in
      guard let place = overlap.firstDifference(in: source, limit: &limit) else { return nil }
      let range = "\(hex(overlap.range.lowerBound))-\(hex(overlap.range.upperBound))"
      return Diagnostic(
        .memoryConflict, range,
        "\(range) is in two parts whose bytes differ, at "
          + "\(hex(place)) first: \(name(overlap.first)) is used, \(name(overlap.second)) is not; one address is wrong")
    }
  }
}
