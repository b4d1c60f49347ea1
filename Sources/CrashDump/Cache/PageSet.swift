import Synchronization
import VMSA

/// A set of pages and its lock.
///
/// Safety: the memory is room for all pages of the set, freed with it; a way is below `ways`, and a page is shown only
/// after it was written. Pages are accessed only under the lock, and their spans cannot outlive the call that shows
/// them.
@safe
final class PageSet: @unchecked Sendable {
  /// Pages in a set.
  static var ways: Int { 8 }

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
struct Slots: ~Copyable {
  private var tags: [8 of UInt64] = [8 of UInt64](repeating: .max)
  private var uses: [8 of UInt32] = [8 of UInt32](repeating: 0)
  private var clock: UInt32 = 0
  /// Room for all pages of the set, allocated by the system page by page as they are written.
  private var storage: UnsafeMutableRawPointer?

  init() {}

  deinit {
    unsafe storage?.deallocate()
  }

  var count: Int { (0..<PageSet.ways).count { tags[$0] != .max } }

  mutating func withKeptPage<R>(_ number: UInt64, size: Int, _ body: (RawSpan) -> R) -> R? {
    for way in 0..<PageSet.ways where tags[way] == number {
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
    for way in 1..<PageSet.ways where uses[way] < uses[oldest] { oldest = way }
    if unsafe storage == nil { unsafe storage = .allocate(byteCount: size * PageSet.ways, alignment: 64) }
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
