import Bytes

/// The ascending addresses of all symbols, and which of them are trustworthy.
struct KallsymsAddresses: Sendable {
  /// The number of symbols.
  let count: Int
  /// The symbols whose addresses are not trustworthy.
  private(set) var lost: Range<Int> = 0..<0
  private let bytes: [UInt8]
  private let table: KallsymsTables.Addresses

  /// Reads the table of addresses; nil if it is not all there.
  init?(_ tables: KallsymsTables, in space: some ByteSource) {
    count = tables.count
    table = tables.addresses
    guard let bytes = space.bytes(at: table.table, count: count * table.entrySize) else { return nil }
    self.bytes = bytes
    lost = findLost()
  }

  /// The address of symbol `number`.
  @inline(__always)
  subscript(number: Int) -> UInt64 {
    let raw = bytes.rawSpan
    if case .absolute = table { return raw.integer(UInt64.self, at: number &* 8) ?? 0 }
    let half = raw.integer(UInt32.self, at: number &* 4) ?? 0
    return switch table {
    case .relative(_, let base): base &+ UInt64(half)
    case .placeRelative(let start), .absolute(let start):
      start &+ UInt64(number &* 4) &+ UInt64(bitPattern: Int64(Int32(bitPattern: half)))
    }
  }

  /// The first symbol after `number` that has another address.
  func next(after number: Int) -> Int {
    let here = self[number]
    var next = number + 1
    while next < count, self[next] == here { next += 1 }
    return next
  }

  /// Bytes from symbol `number` to `next`, the first that has another address; 0 if unknown.
  func size(of number: Int, next: Int) -> UInt64 {
    next < count && !lost.contains(next) ? self[next] &- self[number] : 0
  }

  /// The first of the symbols at, or nearest below, `address`; nil if there is none, or the candidates are lost.
  func first(atOrBelow address: UInt64) -> Int? {
    let isBelow = lost.isEmpty || lost.upperBound == count || address < self[lost.upperBound]
    let first = isBelow ? 0 : lost.upperBound
    let end = isBelow && !lost.isEmpty ? lost.lowerBound : count
    let next = (first..<end).partitioningIndex { self[$0] > address }
    guard next > first, lost.isEmpty || next != lost.lowerBound else { return nil }
    var number = next - 1
    let start = self[number]
    while number > first, self[number - 1] == start { number -= 1 }
    return number
  }

  // MARK: - Overwritten addresses

  /// The numbers of the symbols whose addresses are not trustworthy: they do not ascend, or all entries of a page are
  /// the same. Whole pages count, since overwritten ones may ascend by chance.
  private func findLost() -> Range<Int> {
    let size = table.entrySize
    let perPage = 4096 / size
    let head = Int(table.table & 4095) / size
    func pageStart(_ number: Int) -> Int { max(0, (number + head) / perPage * perPage - head) }
    func pageEnd(_ number: Int) -> Int { min(count, pageStart(number + perPage)) }
    func isConstant(_ first: Int) -> Bool {
      let last = pageEnd(first) - 1
      // Unimplemented system calls have some hundred names at one address.
      guard last - first >= 512 else { return false }
      let entry = bytes[(first * size)..<(first * size + size)]
      return [first + 1, (first + last) / 2, last].allSatisfy { bytes[($0 * size)..<($0 * size + size)] == entry }
    }
    var lower = firstDescent()
    var upper = lower < count ? count - 1 : 0
    while upper > 0, self[upper] >= self[upper - 1] { upper -= 1 }
    lower = lower < count ? pageStart(lower) : count
    upper = upper > 0 ? max(pageEnd(upper - 1), lower) : 0
    for first in [0] + stride(from: perPage - head, to: count, by: perPage) where isConstant(first) {
      lower = min(lower, first)
      upper = max(upper, pageEnd(first))
    }
    guard lower < upper else { return 0..<0 }
    while lower > 0, upper < count, self[lower - 1] > self[upper] {
      // One side is wrong; the neighbours do not show which.
      lower = pageStart(lower - 1)
      upper = pageEnd(upper)
    }
    return lower..<upper
  }

  /// The first symbol at a lower address than the one before it; `count` if there is none.
  private func firstDescent() -> Int {
    if case .relative = table {
      // All have the same base.
      let words = bytes.rawSpan
      var before: UInt32 = 0
      var number = 0
      // Two at a time: there are hundreds of thousands.
      while number &+ 2 <= count, let pair = words.integer(UInt64.self, at: number &* 4) {
        let (first, second) = (UInt32(truncatingIfNeeded: pair), UInt32(truncatingIfNeeded: pair &>> 32))
        guard first >= before, second >= first else { return first >= before ? number + 1 : number }
        before = second
        number &+= 2
      }
      guard number < count, let last = words.integer(UInt32.self, at: number &* 4), last < before else { return count }
      return number
    }
    var before: UInt64 = 0
    for number in 0..<count {
      let here = self[number]
      guard here >= before else { return number }
      before = here
    }
    return count
  }
}

extension KallsymsTables.Addresses {
  /// Bytes of one address.
  var entrySize: Int { if case .absolute = self { 8 } else { 4 } }
}
