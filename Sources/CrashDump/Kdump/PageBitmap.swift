import Bytes

/// A bitmap of page frames in a dump, with the number of bits set below any frame.
///
/// The counts are computed on first use in one pass over the bitmap: one number per 1,024 pages, 50 MiB for a machine
/// of 24 TiB. If that would be more than `Limits.bitmapCounts` numbers, each stands for more pages.
final class PageBitmap: Sendable {
  /// How many bits there are.
  let count: UInt64
  private let source: DumpBytes
  private let offset: UInt64
  private let ranks = AtomicOnce<Ranks>()

  /// Bits that one count stands for: a power of two.
  private let block: UInt64
  /// Bytes scanned before their memory is released.
  private static var chunk: UInt64 { 4 << 20 }

  private struct Ranks: Sendable {
    let below: [UInt64]
    let total: UInt64
    /// Whether all of the bitmap could be read.
    let isWhole: Bool
  }

  /// The bitmap of `count` bits at `offset` of `source`. The caller has checked that it is all there.
  init(_ source: DumpBytes, at offset: UInt64, count: UInt64) {
    self.source = source
    self.offset = offset
    self.count = count
    var block: UInt64 = 1024
    while count / block >= Limits.bitmapCounts, block < Self.chunk * 8 { block *= 2 }
    self.block = block
  }

  /// Whether bit `number` is set.
  func contains(_ number: UInt64) -> Bool {
    guard number < count, let byte = source.integer(UInt8.self, at: offset + number / 8) else { return false }
    return byte >> UInt8(number % 8) & 1 == 1
  }

  /// How many bits are set below bit `number`; nil if the bitmap cannot be read up to there.
  func rank(_ number: UInt64) -> UInt64? {
    let ranks = ranks.value(counted)
    let number = min(number, count)
    let index = number / block
    guard index < UInt64(ranks.below.count) else { return number == count && ranks.isWhole ? ranks.total : nil }
    return ones((index * block)..<number).map { ranks.below[Int(index)] + $0 }
  }

  /// How many bits are set.
  var total: UInt64 { ranks.value(counted).total }

  private func counted() -> Ranks {
    var below: [UInt64] = []
    below.reserveCapacity(Int((count + block - 1) / block))
    var total: UInt64 = 0
    var start: UInt64 = 0
    let bytes = (count + 7) / 8
    while start < bytes {
      let end = min(start + Self.chunk, bytes)
      let seen: Void? = source.withBytes((offset + start)..<(offset + end)) { span in
        for blockStart in stride(from: 0, to: span.byteCount, by: Int(block / 8)) {
          below.append(total)
          let blockEnd = min(blockStart + Int(block / 8), span.byteCount)
          total += Self.ones(span, blockStart..<blockEnd)
        }
      }
      // After an unreadable part the positions among the descriptors are unknown.
      guard seen != nil else { return Ranks(below: below, total: total, isWhole: false) }
      source.forget((offset + start)..<(offset + end))
      start = end
    }
    // Bits of the last byte beyond the last frame are padding.
    if count % 8 != 0, let last = source.integer(UInt8.self, at: offset + count / 8) {
      total -= min(total, UInt64((last >> UInt8(count % 8)).nonzeroBitCount))
    }
    return Ranks(below: below, total: total, isWhole: true)
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
  private func ones(_ range: Range<UInt64>) -> UInt64? {
    let start = offset + range.lowerBound / 8
    let wholeBytes = (range.upperBound - range.lowerBound) / 8
    guard let whole = source.withBytes(start..<(start + wholeBytes), { Self.ones($0, 0..<$0.byteCount) }) else {
      return nil
    }
    let rest = range.upperBound % 8
    guard rest != 0 else { return whole }
    return source.integer(UInt8.self, at: start + wholeBytes).map {
      whole + UInt64(($0 & (1 << UInt8(rest) - 1)).nonzeroBitCount)
    }
  }

  /// Calls `body` with each run of bits that are all set or all clear, in order, until it returns false. What
  /// cannot be read is clear.
  func forEachRun(_ body: (Range<UInt64>, Bool) -> Bool) {
    var start: UInt64 = 0
    var isSet = contains(0)
    var here: UInt64 = 0
    while here < count {
      let end = min((here / (Self.chunk * 8) + 1) * Self.chunk * 8, count)
      let first = here
      var goesOn = true
      let seen: Void? = source.withBytes((offset + first / 8)..<(offset + (end + 7) / 8)) { span in
        var number = first
        while number < end {
          // A whole word of equal bits is skipped at once.
          if number % 64 == 0, end - number >= 64, let word = span.integer(UInt64.self, at: Int((number - first) / 8)),
            word == (isSet ? .max : 0)
          {
            number += 64
            continue
          }
          let byte = span.integer(UInt8.self, at: Int((number - first) / 8)) ?? 0
          let bit = byte >> UInt8(number % 8) & 1 == 1
          if bit != isSet {
            if start < number, !body(start..<number, isSet) {
              goesOn = false
              return
            }
            start = number
            isSet = bit
          }
          number += 1
        }
      }
      guard goesOn else { return }
      if seen == nil, isSet {
        guard body(start..<first, true) else { return }
        start = first
        isSet = false
      }
      source.forget((offset + first / 8)..<(offset + (end + 7) / 8))
      here = end
    }
    if start < count { _ = body(start..<count, isSet) }
  }
}
