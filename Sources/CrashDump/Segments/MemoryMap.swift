import Bytes
import VMSA

/// Which bytes of a file hold which physical memory: the PT_LOAD segments of a core as sorted ranges that do not
/// overlap.
///
/// A core may describe one address twice (the kernel's text, then the RAM it lies in), partly (p_filesz below p_memsz)
/// or beyond the end of a cut file. Bytes in the file win over bytes cut off, and those over bytes left out.
struct MemoryMap: Sendable {
  /// A range of physical memory, all of one kind.
  struct Interval: Sendable {
    var start: UInt64
    /// Exclusive; never below `start`.
    var end: UInt64
    /// Where its bytes are in the file, if `absence` is nil.
    var offset: UInt64
    var absence: Absence?
  }

  /// A segment as its header describes it.
  struct Segment: Sendable {
    var physical: UInt64
    var offset: UInt64
    var fileSize: UInt64
    var memorySize: UInt64

    /// The memory that it describes, for messages.
    var name: String { "\(hex(physical))-\(hex(physical &+ max(fileSize, memorySize)))" }
  }

  let intervals: [Interval]
  /// Memory that is described twice, with bytes at two places of the file.
  let overlaps: [Overlap]

  /// Lays out `segments` of a file of `fileCount` bytes.
  ///
  /// - Parameter tailAbsence: what to call the part of a segment that was never in the file.
  init(segments: [Segment], fileCount: UInt64, tailAbsence: Absence = .filtered) {
    var present: [Interval] = []
    var cut: [Interval] = []
    var tail: [Interval] = []
    for segment in segments {
      let stored = segment.offset < fileCount ? min(segment.fileSize, fileCount - segment.offset) : 0
      let here = segment.physical
      let storedEnd = Self.end(here, stored)
      let fileEnd = Self.end(here, segment.fileSize)
      let memoryEnd = Self.end(here, max(segment.memorySize, segment.fileSize))
      if here < storedEnd {
        present.append(Interval(start: here, end: storedEnd, offset: segment.offset, absence: nil))
      }
      if storedEnd < fileEnd {
        cut.append(Interval(start: storedEnd, end: fileEnd, offset: 0, absence: .cutOff))
      }
      if fileEnd < memoryEnd {
        tail.append(Interval(start: fileEnd, end: memoryEnd, offset: 0, absence: tailAbsence))
      }
    }
    var map = Self.disjoint(present)
    for layer in [cut, tail] where !layer.isEmpty {
      map = Self.fill(map, with: Self.disjoint(layer))
    }
    intervals = map
    overlaps = Overlap.all(of: segments, fileCount: fileCount)
  }

  /// `start + size`, saturating.
  private static func end(_ start: UInt64, _ size: UInt64) -> UInt64 {
    let (sum, overflow) = start.addingReportingOverflow(size)
    return overflow ? .max : sum
  }

  /// The union of intervals of one kind: of two that overlap, the one that starts first wins.
  private static func disjoint(_ intervals: [Interval]) -> [Interval] {
    var result: [Interval] = []
    for var next in intervals.sorted(by: { ($0.start, $1.end) < ($1.start, $0.end) }) {
      if let last = result.last {
        guard next.end > last.end else { continue }
        if next.start < last.end {
          next.offset &+= last.end - next.start
          next.start = last.end
        }
        if next.start == last.end, next.absence == last.absence,
          next.absence != nil || next.offset == last.offset &+ (last.end - last.start)
        {
          result[result.count - 1].end = next.end
          continue
        }
      }
      result.append(next)
    }
    return result
  }

  /// `base` with its gaps filled from `layer`; both disjoint and in order.
  private static func fill(_ base: [Interval], with layer: [Interval]) -> [Interval] {
    var result: [Interval] = []
    var index = 0
    for piece in layer {
      // A longer interval of `base` may already cover where this piece begins.
      var start = max(piece.start, result.last?.end ?? 0)
      while index < base.count, base[index].end <= start {
        result.append(base[index])
        index += 1
      }
      while start < piece.end {
        let limit = index < base.count ? min(base[index].start, piece.end) : piece.end
        if start < limit {
          result.append(Interval(start: start, end: limit, offset: 0, absence: piece.absence))
        }
        guard index < base.count, base[index].start < piece.end else { break }
        start = base[index].end
        result.append(base[index])
        index += 1
      }
    }
    return result + base[index...]
  }

  /// The interval that holds `address`: a linear search while they are few, a binary one beyond.
  @inline(__always)
  func interval(at address: UInt64) -> Interval? {
    let all = intervals.span
    if all.count <= 8 {
      for index in all.indices where address &- all[index].start < all[index].end &- all[index].start {
        return all[index]
      }
      return nil
    }
    let index = all.indices.partitioningIndex { all[$0].end > address }
    return index < all.count && all[index].start <= address ? all[index] : nil
  }

  /// Bytes of memory of the kind `absence`.
  func bytes(_ absence: Absence?) -> UInt64 {
    intervals.reduce(0) { $1.absence == absence ? $0 &+ ($1.end - $1.start) : $0 }
  }

  /// The machine's memory, whether its bytes are in the file or not, with adjacent ranges joined.
  var ranges: [Range<PhysicalAddress>] {
    var result: [Range<PhysicalAddress>] = []
    for next in intervals {
      if let last = result.last, last.upperBound.rawValue == next.start {
        result[result.count - 1] = last.lowerBound..<PhysicalAddress(next.end)
      } else {
        result.append(PhysicalAddress(next.start)..<PhysicalAddress(next.end))
      }
    }
    return result
  }
}
