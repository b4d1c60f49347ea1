import Bytes

/// A bitmap of page frames in a dump, and how many bits are set below any of them.
///
/// The counts are taken once, when first asked for, in one pass over the bitmap: one number for 1,024
/// pages, 50 MiB for a machine of 24 TiB.
final class PageBitmap: Sendable {
  /// How many bits there are.
  let count: UInt64
  private let source: DumpBytes
  private let offset: UInt64
  private let ranks = OnceReference<Ranks>()

  /// Bits that one count stands for.
  private static var block: UInt64 { 1024 }
  /// Bytes looked at before they are given back to the system.
  private static var chunk: UInt64 { 4 << 20 }

  private final class Ranks: Sendable {
    let below: [UInt64]
    let total: UInt64
    init(_ below: [UInt64], _ total: UInt64) {
      self.below = below
      self.total = total
    }
  }

  /// The bitmap of `count` bits at `offset` of `source`. The caller has checked that it is all there.
  init(_ source: DumpBytes, at offset: UInt64, count: UInt64) {
    self.source = source
    self.offset = offset
    self.count = count
  }

  /// Whether bit `number` is set.
  func contains(_ number: UInt64) -> Bool {
    guard number < count, let byte = source.integer(UInt8.self, at: offset + number / 8) else { return false }
    return byte >> UInt8(number % 8) & 1 == 1
  }

  /// How many bits are set below bit `number`.
  func rank(_ number: UInt64) -> UInt64 {
    let ranks = ranks.load() ?? ranks.storeIfNil(counted())
    let block = min(number, count) / Self.block
    guard block < UInt64(ranks.below.count) else { return ranks.total }
    let start = block * Self.block
    return ranks.below[Int(block)] + ones(start..<min(number, count))
  }

  /// How many bits are set.
  var total: UInt64 { (ranks.load() ?? ranks.storeIfNil(counted())).total }

  private func counted() -> Ranks {
    var below: [UInt64] = []
    below.reserveCapacity(Int((count + Self.block - 1) / Self.block))
    var total: UInt64 = 0
    var start: UInt64 = 0
    let bytes = (count + 7) / 8
    while start < bytes {
      let end = min(start + Self.chunk, bytes)
      source.withBytes((offset + start)..<(offset + end)) { span in
        for blockStart in stride(from: 0, to: span.byteCount, by: Int(Self.block / 8)) {
          below.append(total)
          let blockEnd = min(blockStart + Int(Self.block / 8), span.byteCount)
          total += Self.ones(span, blockStart..<blockEnd)
        }
      }
      source.forget((offset + start)..<(offset + end))
      start = end
    }
    // Bits of the last byte beyond the last frame say nothing.
    if count % 8 != 0, let last = source.integer(UInt8.self, at: offset + count / 8) {
      total -= UInt64((last >> UInt8(count % 8)).nonzeroBitCount)
    }
    return Ranks(below, total)
  }

  /// Ones among the bytes `range` of `span`.
  private static func ones(_ span: RawSpan, _ range: Range<Int>) -> UInt64 {
    var result = 0
    var index = range.lowerBound
    while index + 8 <= range.upperBound {
      result += (span.integer(UInt64.self, at: index) ?? 0).nonzeroBitCount
      index += 8
    }
    while index < range.upperBound {
      result += (span.integer(UInt8.self, at: index) ?? 0).nonzeroBitCount
      index += 1
    }
    return UInt64(result)
  }

  /// Ones among the bits `range`, which begins at a byte.
  private func ones(_ range: Range<UInt64>) -> UInt64 {
    let start = offset + range.lowerBound / 8
    let wholeBytes = (range.upperBound - range.lowerBound) / 8
    var result = source.withBytes(start..<(start + wholeBytes)) { Self.ones($0, 0..<$0.byteCount) } ?? 0
    let rest = range.upperBound % 8
    if rest != 0, let byte = source.integer(UInt8.self, at: start + wholeBytes) {
      result += UInt64((byte & (1 << UInt8(rest) - 1)).nonzeroBitCount)
    }
    return result
  }

  /// Calls `body` with each run of bits that are all set or all clear, in order.
  func forEachRun(_ body: (Range<UInt64>, Bool) -> Void) {
    var start: UInt64 = 0
    var isSet = contains(0)
    var here: UInt64 = 0
    while here < count {
      let end = min((here / (Self.chunk * 8) + 1) * Self.chunk * 8, count)
      let first = here
      source.withBytes((offset + first / 8)..<(offset + (end + 7) / 8)) { span in
        var number = first
        while number < end {
          // A whole word of the same bits goes by at once.
          if number % 64 == 0, end - number >= 64, let word = span.integer(UInt64.self, at: Int((number - first) / 8)),
            word == (isSet ? .max : 0)
          {
            number += 64
            continue
          }
          let byte = span.integer(UInt8.self, at: Int((number - first) / 8)) ?? 0
          let bit = byte >> UInt8(number % 8) & 1 == 1
          if bit != isSet {
            if start < number { body(start..<number, isSet) }
            start = number
            isSet = bit
          }
          number += 1
        }
      }
      source.forget((offset + first / 8)..<(offset + (end + 7) / 8))
      here = end
    }
    if start < count { body(start..<count, isSet) }
  }
}
