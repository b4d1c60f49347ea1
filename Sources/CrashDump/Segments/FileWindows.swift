import Bytes

/// Where in a mapped file physical memory is: what walks and reads of pages go by. It finds nothing where a file is
/// not mapped, where memory is absent, and where what is wanted crosses the end of a stretch of memory.
///
/// Safety: each window was seen to be in the mapping, which the owner of both keeps; what is read begins and ends in
/// one window. The windows are never changed, and freed with this.
@safe
final class FileWindows: @unchecked Sendable {
  /// A stretch of memory that is in the file.
  @safe
  private struct Window {
    var start: UInt64
    /// How many addresses from `start` on a whole word begins at: 7 less than there are bytes.
    var count: UInt64
    var bytes: UnsafeRawPointer
  }

  private let windows: UnsafeMutablePointer<Window>
  private let count: Int

  /// So few are gone through one by one.
  private static var few: Int { 8 }

  /// The windows of `map` into `source`, which has to outlive them.
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

  /// The window that a word at `address` lies in, and how far into it.
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

  /// Fills `buffer` from `address` on; false, with `buffer` untouched, where the bytes are not all in one window.
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
