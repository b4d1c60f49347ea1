import Bytes
import Synchronization
import VMSA

/// Decompressed pages, kept as long as they fit: hashed, eight to a set, the least lately used of a set
/// leaving first. Any number of threads may use it; each set has its own lock, so that they seldom meet,
/// and who wants a page that another is decompressing waits for it.
///
/// Memory is taken as pages come: an unused cache costs its tags only.
@safe
final class PageCache: @unchecked Sendable {
  /// Bytes of a page.
  let pageSize: Int
  private let sets: [PageSet]
  /// Pages that were read whole lately, each where the low bits of its number say.
  private let wholes: UnsafeMutablePointer<Atomic<UInt64>>

  /// How many of those are remembered.
  private static var wholesCount: Int { 1024 }

  /// Makes a cache of at most `capacity` bytes of pages of `pageSize`; one set at least.
  init(pageSize: Int, capacity: Int) {
    self.pageSize = pageSize
    let count = min(max(1, capacity / (pageSize * Slots.ways)), 1 << 24)
    sets = (0..<count).map { _ in PageSet() }
    unsafe wholes = .allocate(capacity: Self.wholesCount)
    for place in 0..<Self.wholesCount { unsafe (wholes + place).initialize(to: Atomic(.max)) }
  }

  deinit {
    unsafe wholes.deinitialize(count: Self.wholesCount).deallocate()
  }

  /// Whether a page that is read whole has been so lately: one that is read once goes straight to who wants it,
  /// and displaces nothing.
  func isReadAgain(_ number: UInt64) -> Bool {
    let place = Int(truncatingIfNeeded: number & UInt64(Self.wholesCount - 1))
    return unsafe wholes[place].exchange(number, ordering: .relaxed) == number
  }

  /// Shows `body` the bytes of page `number` if they are kept.
  func withKeptPage<R>(_ number: UInt64, _ body: (RawSpan) -> R) -> R? {
    set(number).withSlots { slots in slots.withKeptPage(number, size: pageSize, body) } ?? nil
  }

  /// Shows `body` the bytes of page `number`; `load` makes them where they are not kept, or says why not.
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

  /// Pages that are kept now.
  var count: Int { sets.reduce(0) { total, set in total + (set.withSlots { $0.count } ?? 0) } }
}

/// Why a page is not to be had.
struct PageFault: Error {
  var absence: Absence
}

/// A set and its lock. The pages are touched by who holds the lock only.
@safe
private final class PageSet: @unchecked Sendable {
  private let lock = Mutex(())
  private var slots = Slots()

  func withSlots<R>(_ body: (inout Slots) -> R) -> R? {
    var result: R?
    lock.withLock { _ in result = body(&slots) }
    return result
  }
}

/// The pages of a set: which they are, when each was last used, and their bytes one after another.
@safe
private struct Slots: ~Copyable {
  /// Pages in a set.
  static let ways = 8

  private var tags: [8 of UInt64] = [8 of UInt64](repeating: .max)
  private var uses: [8 of UInt32] = [8 of UInt32](repeating: 0)
  private var clock: UInt32 = 0
  /// Room for all pages of the set, which the system gives page by page as they are written.
  private var storage: UnsafeMutableRawPointer?

  init() {}

  deinit {
    unsafe storage?.deallocate()
  }

  var count: Int { (0..<Self.ways).count { tags[$0] != .max } }

  mutating func withKeptPage<R>(_ number: UInt64, size: Int, _ body: (RawSpan) -> R) -> R? {
    for way in 0..<Self.ways where tags[way] == number {
      clock &+= 1
      uses[way] = clock
      return body(bytes(way, size))
    }
    return nil
  }

  mutating func withPage<R>(
    _ number: UInt64, size: Int, _ load: (inout MutableRawSpan) -> Absence?, _ body: (RawSpan) -> R
  ) -> Result<R, PageFault> {
    // Another thread may have brought it in since the caller looked.
    if let result = withKeptPage(number, size: size, body) { return .success(result) }
    var oldest = 0
    for way in 1..<Self.ways where uses[way] < uses[oldest] { oldest = way }
    if unsafe storage == nil { unsafe storage = .allocate(byteCount: size * Self.ways, alignment: 64) }
    tags[oldest] = .max
    guard let start = unsafe storage?.advanced(by: oldest * size) else {
      return .failure(PageFault(absence: .damaged))
    }
    var page = unsafe MutableRawSpan(_unsafeStart: start, byteCount: size)
    if let absence = load(&page) { return .failure(PageFault(absence: absence)) }
    clock &+= 1
    tags[oldest] = number
    uses[oldest] = clock
    return .success(body(bytes(oldest, size)))
  }

  /// The page in slot `way`, which has been written.
  @_lifetime(borrow self)
  private func bytes(_ way: Int, _ size: Int) -> RawSpan {
    guard let start = unsafe storage?.advanced(by: way * size) else { return RawSpan() }
    return unsafe _overrideLifetime(
      RawSpan(_unsafeStart: UnsafeRawPointer(start), byteCount: size), borrowing: self)
  }
}
