import Synchronization
import VMSA

/// Pages from which words were read, mostly page tables: kept from the first word on, so that any thread finds the next
/// word without a lock. First come, first kept; a page whose slot is taken is left to the cache.
///
/// Safety: a page is its number and `pageSize` bytes, written before it is published in its slot and never changed or
/// moved until all are freed with this object; a number is reduced to the number of slots, an offset checked.
@safe
final class WordPages: @unchecked Sendable {
  /// Each page by the low bits of its number: its number, then its bytes. It is written before it is published here,
  /// and never after.
  private let places: UnsafeMutablePointer<Atomic<UnsafeMutableRawPointer?>>
  private let mask: UInt64
  private let pageSize: Int

  /// Bytes before a page's own.
  private static var header: Int { 8 }

  /// Keeps pages of `pageSize` bytes, of at most `capacity` bytes together; one page at least.
  init(pageSize: Int, capacity: Int) {
    self.pageSize = pageSize
    let count = 1 << (Int.bitWidth - 1 - max(1, capacity / pageSize).leadingZeroBitCount)
    mask = UInt64(count - 1)
    unsafe places = .allocate(capacity: count)
    for place in 0..<count { unsafe (places + place).initialize(to: Atomic(nil)) }
  }

  deinit {
    for place in 0...Int(mask) { unsafe places[place].load(ordering: .acquiring)?.deallocate() }
    unsafe places.deinitialize(count: Int(mask) + 1).deallocate()
  }

  /// The little-endian word at `offset` of page `number`, if the page is kept.
  @inline(__always)
  func word(_ number: UInt64, at offset: Int) -> UInt64? {
    guard let page = unsafe places[Int(truncatingIfNeeded: number & mask)].load(ordering: .acquiring),
      unsafe page.load(as: UInt64.self) == number, offset >= 0, offset <= pageSize &- 8
    else { return nil }
    return unsafe UInt64(
      littleEndian: page.loadUnaligned(fromByteOffset: offset &+ Self.header, as: UInt64.self))
  }

  /// Keeps a copy of page `number`, if its place is free.
  func keep(_ number: UInt64, _ bytes: RawSpan) {
    let place = unsafe places + Int(truncatingIfNeeded: number & mask)
    guard bytes.byteCount == pageSize, unsafe place.pointee.load(ordering: .relaxed) == nil else { return }
    let page = UnsafeMutableRawPointer.allocate(byteCount: Self.header + pageSize, alignment: 8)
    unsafe page.storeBytes(of: number, as: UInt64.self)
    unsafe bytes.withUnsafeBytes { bytes in
      guard let from = bytes.baseAddress else { return }
      unsafe (page + Self.header).copyMemory(from: from, byteCount: pageSize)
    }
    let (isKept, _) = unsafe place.pointee.compareExchange(
      expected: nil, desired: page, ordering: .acquiringAndReleasing)
    if !isKept { unsafe page.deallocate() }
  }
}
