import Bytes
import VMSA

extension PageArray {
  /// Frames whose `struct page` are read at once.
  private static let atOnce: UInt64 = 4096

  /// Calls `body` with each frame of `frames` in order and its `struct page` record, nil if unreadable, until it
  /// returns false.
  ///
  /// - Returns: whether it reached the end.
  @inline(__always)
  @discardableResult
  func forEachFrame(_ frames: Range<UInt64>, _ body: (_ frame: UInt64, _ record: PageRecord?) -> Bool) -> Bool {
    var here = frames.lowerBound
    while here < frames.upperBound {
      let end = min(here &+ Self.atOnce, frames.upperBound)
      if let bytes = bytes(here..<end) {
        let words = bytes.rawSpan
        var position = 0
        while here < end {
          guard body(here, PageRecord(words, at: position, layout)) else { return false }
          position &+= layout.size
          here &+= 1
        }
      } else {
        // Some are missing: go on one page of the array at a time, so that each missing page is asked for only once.
        let few = min(here &+ max(1, 4096 / UInt64(layout.size)), end)
        let part = bytes(here..<few)
        while here < few {
          let record =
            part.flatMap {
              PageRecord($0.rawSpan, at: Int(here &- (few &- UInt64($0.count / layout.size))) * layout.size, layout)
            }
            ?? self.record(here)
          guard body(here, record) else { return false }
          here &+= 1
        }
      }
    }
    return true
  }

  private func bytes(_ frames: Range<UInt64>) -> [UInt8]? {
    memory.bytes(at: vmemmap.page(of: frames.lowerBound), count: frames.count * layout.size)
  }
}

extension KernelContext {
  /// The frames of RAM that the dump shows, sorted and disjoint.
  var ramFrames: [Range<UInt64>] {
    let shift = UInt64(regime.granule.pageShift)
    var frames: [Range<UInt64>] = []
    for range in self.dump.memory.ranges {
      let first = range.lowerBound.rawValue >> shift
      let end = (range.upperBound.rawValue &+ (1 << shift - 1)) >> shift
      guard first < end, end <= 1 << (52 - shift) else { continue }
      if let last = frames.last, last.upperBound >= first {
        frames[frames.count - 1] = last.lowerBound..<max(last.upperBound, end)
      } else {
        frames.append(first..<end)
      }
    }
    return frames
  }
}
