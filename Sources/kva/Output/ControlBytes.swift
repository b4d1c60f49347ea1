import KernelVA

/// Finds bytes of a text that must be escaped.
enum ControlBytes {
  /// Whether there is a control character, or, with `orQuotes`, a quote or a backslash.
  ///
  /// Nearly all text has none, and all output is checked, so eight bytes are tested at once.
  static func arePresent(in bytes: RawSpan, orQuotes: Bool = false) -> Bool {
    var index = 0
    while let word = bytes.integer(UInt64.self, at: index) {
      if hasByte(word, below: 0x20) || hasByte(word ^ ones &* 0x7f, below: 1) { return true }
      if orQuotes, hasByte(word ^ ones &* 0x22, below: 1) || hasByte(word ^ ones &* 0x5c, below: 1) { return true }
      index &+= 8
    }
    while let byte = bytes.integer(UInt8.self, at: index) {
      if byte < 0x20 || byte == 0x7f || orQuotes && (byte == 0x22 || byte == 0x5c) { return true }
      index &+= 1
    }
    return false
  }

  private static var ones: UInt64 { 0x0101_0101_0101_0101 }

  /// Whether a byte of `word` is below `limit`, which is at most 128: subtracting it borrows into the highest bit of
  /// the lowest such byte.
  @inline(__always)
  private static func hasByte(_ word: UInt64, below limit: UInt64) -> Bool {
    (word &- ones &* limit) & ~word & ones &* 0x80 != 0
  }
}
