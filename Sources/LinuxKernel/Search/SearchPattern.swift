import Bytes

/// A pattern to search memory for.
public enum SearchPattern: Hashable, Sendable {
  /// A little-endian integer of 1, 2, 4 or 8 bytes, at a multiple of its size.
  case integer(UInt64, size: Int)
  /// A pointer into a range, at a multiple of 8; tags and authentication codes are ignored.
  case pointer(ClosedRange<UInt64>)
  /// 1 to `mostBytes` bytes at any address.
  case bytes([UInt8])

  /// The longest byte pattern.
  public static let mostBytes = 4096

  /// The length of a match in bytes.
  public var count: Int {
    switch self {
    case .integer(_, let size): size
    case .pointer: 8
    case .bytes(let bytes): bytes.count
    }
  }

  /// Whether anything can match.
  var isValid: Bool {
    switch self {
    case .integer(let value, let size): [1, 2, 4, 8].contains(size) && (size == 8 || value >> UInt64(size * 8) == 0)
    case .pointer: true
    case .bytes(let bytes): 1...Self.mostBytes ~= bytes.count
    }
  }
}

/// Finds a pattern in pieces of memory.
struct SearchMatcher {
  let pattern: SearchPattern
  /// The width of kernel addresses.
  let addressBits: Int

  /// Calls `body` with the offset of each match in `bytes`, in order; `bytes` begin at a multiple of 8.
  func forEach(in bytes: RawSpan, _ body: (Int) -> Void) {
    switch pattern {
    case .integer(let value, 8): words(bytes, UInt64.self) { if $1 == value { body($0) } }
    case .integer(let value, 4): words(bytes, UInt32.self) { if $1 == value { body($0) } }
    case .integer(let value, 2): words(bytes, UInt16.self) { if $1 == value { body($0) } }
    case .integer(let value, _): words(bytes, UInt8.self) { if $1 == value { body($0) } }
    case .pointer(let range):
      let isKernel = range.lowerBound >> 55 & 1 == 1
      let extended = UInt64.max << UInt64(addressBits)
      words(bytes, UInt64.self) { place, word in
        guard word >> 55 & 1 == (isKernel ? 1 : 0) else { return }
        // User space has tags (TBI0); a kernel pointer may have a tag, an authentication code or both.
        let address = isKernel ? word | extended : word & (1 << 56 - 1)
        if range.contains(address) { body(place) }
      }
    case .bytes(let wanted): sequence(bytes, wanted, body)
    }
  }

  @inline(__always)
  private func words<T: FixedWidthInteger & BitwiseCopyable>(
    _ bytes: RawSpan, _ type: T.Type, _ body: (Int, T) -> Void
  ) {
    let size = MemoryLayout<T>.size
    var place = 0
    while place &+ size <= bytes.byteCount {
      if let word: T = bytes.integer(at: place) { body(place, word) }
      place &+= size
    }
  }

  @inline(__always)
  private func sequence(_ bytes: RawSpan, _ wanted: [UInt8], _ body: (Int) -> Void) {
    guard let first = wanted.first, bytes.byteCount >= wanted.count else { return }
    let last = bytes.byteCount - wanted.count
    var place = 0
    while place <= last {
      if bytes.integer(UInt8.self, at: place) == first,
        (1..<wanted.count).allSatisfy({ bytes.integer(at: place &+ $0) == wanted[$0] })
      {
        body(place)
      }
      place &+= 1
    }
  }
}
