import Bytes
import Synchronization

/// Decompressed pages, kept as long as they fit: hashed, eight to a set, the least lately used of a set
/// leaving first. Any number of threads may use it; each set has its own lock, so that they seldom meet.
///
/// Memory is taken as pages come: an unused cache costs its tags only.
@safe
final class PageCache: Sendable {
  /// Bytes of a page.
  let pageSize: Int
  private let sets: [Shard]

  /// Pages in a set.
  private static let ways = 8

  /// A set: which pages it holds, when each was last used, and their bytes one after another.
  private struct Slots: ~Copyable {
    var tags: [8 of UInt64] = [8 of UInt64](repeating: .max)
    var uses: [8 of UInt32] = [8 of UInt32](repeating: 0)
    var clock: UInt32 = 0
    var bytes: [UInt8] = []
  }

  private final class Shard: Sendable {
    let slots = Mutex(Slots())
  }

  /// Makes a cache of at most `capacity` bytes of pages of `pageSize`; one set at least.
  init(pageSize: Int, capacity: Int) {
    self.pageSize = pageSize
    let wanted = max(1, capacity / (pageSize * Self.ways))
    // The largest power of two that fits, so that a set is found by masking.
    let count = 1 << (Int.bitWidth - 1 - wanted.leadingZeroBitCount)
    sets = (0..<count).map { _ in Shard() }
  }

  private func shard(_ page: UInt64) -> Shard {
    // Neighbouring pages go to different sets, and so do those a power of two apart.
    let hash = (page &* 0x9e37_79b9_7f4a_7c15) >> 20
    return sets[Int(truncatingIfNeeded: hash) & (sets.count - 1)]
  }

  /// Shows `body` the bytes of page `number`, if it is kept.
  func withPage<R>(_ number: UInt64, _ body: (RawSpan) -> R) -> R? {
    shard(number).slots.withLock { slots in
      for way in 0..<Self.ways where slots.tags[way] == number {
        slots.clock &+= 1
        slots.uses[way] = slots.clock
        return unsafe body(slots.bytes.span.bytes.extracting((way * pageSize)..<((way + 1) * pageSize)))
      }
      return nil
    }
  }

  /// Keeps `bytes`, which are one page, as page `number`.
  func insert(_ number: UInt64, _ bytes: RawSpan) {
    guard bytes.byteCount == pageSize else { return }
    shard(number).slots.withLock { slots in
      var place = 0
      for way in 0..<Self.ways {
        if slots.tags[way] == number { return }
        // Unused ways have never been used, so they come first, in order.
        if slots.uses[way] < slots.uses[place] { place = way }
      }
      slots.clock &+= 1
      slots.tags[place] = number
      slots.uses[place] = slots.clock
      if slots.bytes.count < (place + 1) * pageSize {
        slots.bytes.append(contentsOf: repeatElement(0, count: (place + 1) * pageSize - slots.bytes.count))
      }
      unsafe slots.bytes.withUnsafeMutableBytes { target in
        unsafe bytes.withUnsafeBytes { source in
          unsafe UnsafeMutableRawBufferPointer(rebasing: target[(place * pageSize)..<((place + 1) * pageSize)])
            .copyMemory(from: source)
        }
      }
    }
  }
}
