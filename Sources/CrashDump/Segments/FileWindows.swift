import Bytes

/// Where physical memory is in a mapped file, the fast path of walks and page reads. It finds nothing if the file is
/// not mapped, the memory is absent, or the access crosses the end of a window.
///
/// Safety: each window was checked to be in the mapping, which the owner of both keeps alive; a read begins and ends in
/// one window. The windows never change, and are freed with this object.
@safe
final class FileWindows: @unchecked Sendable {
  /// A stretch of memory that is in the file.
  @safe
  private struct Window {
    var start: UInt64
    /// The number of addresses from `start` at which a whole word begins: 7 fewer than there are bytes.
    var count: UInt64
    var bytes: UnsafeRawPointer
  }

  private let windows: UnsafeMutablePointer<Window>
  private let count: Int

  /// Up to this many are searched linearly.
  private static var few: Int { 8 }

  /// The windows of `map` into `source`, which must outlive them.
  init(_ map: MemoryMap, in source: DumpBytes) {
    var found: [Window] = []
    if case .mapped(let file) = source {
      for interval in map.intervals where interval.absence == nil && interval.end - interval.start >= 8 {
        guard file.range(at: interval.offset, count: interval.end - interval.start) != nil else { continue }
        unsafe file.withUnsafeAddress { base in
          unsafe found.append(
            Window(
              start: interval.start, count: interval.end - interval.start - 7, bytes: base + Int(interval.offset)))
        }
      }
    }
    count = found.count
    unsafe windows = .allocate(capacity: max(1, found.count))
    for (index, window) in found.enumerated() { unsafe (windows + index).initialize(to: window) }
  }

  deinit {
    unsafe windows.deallocate()
  }

  /// The window that holds the word at `address`, and the offset in it.
  @inline(__always)
  private func window(at address: UInt64) -> (window: UnsafePointer<Window>, distance: UInt64)? {
    if count <= Self.few {
      var window = unsafe windows
      let end = unsafe windows + count
      while unsafe window != end {
        let distance = unsafe address &- window.pointee.start
        if unsafe distance < window.pointee.count { return unsafe (UnsafePointer(window), distance) }
        unsafe window += 1
      }
      return nil
    }
    let next = (0..<count).partitioningIndex { unsafe windows[$0].start > address }
    guard next > 0 else { return nil }
    let window = unsafe windows + (next &- 1)
    let distance = unsafe address &- window.pointee.start
    return unsafe distance < window.pointee.count ? (UnsafePointer(window), distance) : nil
  }

  /// The little-endian word at `address`.
  @inline(__always)
  func word(at address: UInt64) -> UInt64? {
    guard let (window, distance) = unsafe window(at: address) else { return nil }
    return unsafe UInt64(
      littleEndian: window.pointee.bytes.loadUnaligned(
        fromByteOffset: Int(truncatingIfNeeded: distance), as: UInt64.self))
  }

  /// Fills `buffer` from `address`; false, with `buffer` untouched, if the bytes are not all in one window.
  func copy(_ address: UInt64, into buffer: inout MutableRawSpan) -> Bool {
    let wanted = buffer.byteCount
    guard let (window, distance) = unsafe window(at: address),
      unsafe UInt64(truncatingIfNeeded: wanted) <= window.pointee.count &+ 7 &- distance
    else { return false }
    unsafe buffer.withUnsafeMutableBytes { target in
      guard let to = target.baseAddress else { return }
      unsafe to.copyMemory(from: window.pointee.bytes + Int(truncatingIfNeeded: distance), byteCount: wanted)
    }
    return true
  }
}
