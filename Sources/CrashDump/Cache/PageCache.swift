import Bytes
import Synchronization
import VMSA

/// A cache of decompressed pages: hashed, eight-way set-associative, evicting the least recently used of a set. Any
/// number of threads may use it; each set has its own lock, so that they seldom contend, and a thread that needs a page
/// that another is decompressing waits for it.
///
/// Memory is allocated as pages come: an unused cache costs only its tags.
final class PageCache: Sendable {
  /// Bytes of a page.
  let pageSize: Int
  private let sets: [PageSet]
  /// Pages read whole recently, each in the slot of the low bits of its number.
  private let wholes = InlineArray<1024, Atomic<UInt64>> { _ in Atomic(.max) }

  /// Makes a cache of at most `capacity` bytes of pages of `pageSize`; one set at least.
  init(pageSize: Int, capacity: Int) {
    self.pageSize = pageSize
    let count = min(max(1, capacity / (pageSize * PageSet.ways)), 1 << 24)
    sets = (0..<count).map { _ in PageSet() }
  }

  /// Whether a page that is read whole was so recently: a page read once goes straight to the caller, and evicts
  /// nothing.
  func isReadAgain(_ number: UInt64) -> Bool {
    wholes[Int(truncatingIfNeeded: number % 1024)].exchange(number, ordering: .relaxed) == number
  }

  /// Shows `body` the bytes of page `number` if they are cached.
  func withKeptPage<R>(_ number: UInt64, _ body: (RawSpan) -> R) -> R? {
    set(number).withSlots { slots in slots.withKeptPage(number, size: pageSize, body) } ?? nil
  }

  /// Shows `body` the bytes of page `number`; `load` produces them if they are not cached, or says why it cannot.
  func withPage<R>(
    _ number: UInt64, load: (inout MutableRawSpan) -> Absence?, _ body: (RawSpan) -> R
  ) -> Result<R, PageFault> {
    set(number).withSlots { slots in slots.withPage(number, size: pageSize, load, body) }
      ?? .failure(PageFault(absence: .damaged))
  }

  private func set(_ number: UInt64) -> PageSet {
    // Neighbouring pages go to different sets, and so do those a power of two apart.
    let hash = (number &* 0x9e37_79b9_7f4a_7c15) >> 32
    return sets[Int(truncatingIfNeeded: (hash &* UInt64(sets.count)) >> 32)]
  }

  /// The number of cached pages.
  var count: Int { sets.reduce(0) { total, set in total + (set.withSlots { $0.count } ?? 0) } }
}

/// Why a page is unavailable.
struct PageFault: Error {
  var absence: Absence
}
