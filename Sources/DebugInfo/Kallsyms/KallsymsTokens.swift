import Bytes

/// A name as kallsyms stores it: the range of its tokens in some bytes.
struct KallsymsName {
  var bytes: [UInt8]
  var tokens: Range<Int>

  /// The length of the name at `start` of `bytes` and where its tokens begin. Since 6.1 (73bbb94466fd "kallsyms:
  /// support "big" kernel symbols") a length of 128 and more takes two bytes, seven bits and then eight; before it took
  /// one. Nothing marks the change, but a name that long does not occur in kernels without it: `KSYM_NAME_LEN` was 128.
  @inline(__always)
  static func header(_ bytes: Span<UInt8>, _ start: Int) -> (length: Int, tokens: Int)? {
    guard start < bytes.count else { return nil }
    let first = bytes[start]
    if first & 0x80 == 0 { return (Int(first), start &+ 1) }
    guard start &+ 1 < bytes.count else { return nil }
    return (Int(first & 0x7f) | Int(bytes[start &+ 1]) << 7, start &+ 2)
  }

  /// The start of the name `count` names after the one at `start`; nil if the bytes end before it.
  static func skip(_ count: Int, from start: Int, in bytes: [UInt8]) -> Int? {
    let bytes = bytes.span
    var position = start
    for _ in 0..<count {
      guard let (length, tokens) = header(bytes, position) else { return nil }
      position = tokens &+ length
    }
    return position
  }
}

/// The tokens of kallsyms names: at most 256 strings, each encoded as a byte of a name.
struct KallsymsTokens: Sendable {
  /// All strings, one after another.
  private var text: [UInt8] = []
  /// The start of each, and the end of the last.
  private var starts: [Int32] = []

  /// Whether each begins like a name, with a type letter.
  private var isFirst: [Bool] = []

  /// Takes `kallsyms_token_table` and the 512 bytes of `kallsyms_token_index`; nil if they do not match: each string
  /// must begin right after the one before.
  init?(table: [UInt8], index: [UInt8]) {
    guard index.count >= 512 else { return nil }
    starts.reserveCapacity(257)
    var next = 0
    for number in 0..<256 {
      let start = Int(index[number * 2]) | Int(index[number * 2 + 1]) << 8
      guard start == next, start < table.count, let end = table[start...].firstIndex(of: 0),
        end - start <= Limits.symbolName
      else { return nil }
      starts.append(Int32(text.count))
      isFirst.append((0x61...0x7a).contains(table[start] | 0x20))
      text += table[start..<end]
      next = end + 1
    }
    starts.append(Int32(text.count))
  }

  /// Shows `body` each string of `name` in turn, until it returns false.
  @inline(__always)
  private func forEachString(of name: KallsymsName, _ body: (Span<UInt8>) -> Bool) {
    let text = text.span
    let starts = starts.span
    let bytes = name.bytes.span
    for index in name.tokens {
      let token = Int(bytes[index])
      guard body(text.extracting(Int(starts[token])..<Int(starts[token &+ 1]))) else { return }
    }
  }

  /// The end of the last of `count` names that begin at `start`; nil if these are not names.
  func end(ofNames count: Int, from start: Int, in bytes: [UInt8]) -> Int? {
    let span = bytes.span
    var position = start
    for _ in 0..<count {
      guard let (length, first) = KallsymsName.header(span, position), length > 0, first < span.count,
        isFirst[Int(span[first])]
      else { return nil }
      position = first &+ length
    }
    return position
  }

  /// The length of `name` in letters, including its type letter.
  func length(_ name: KallsymsName) -> Int {
    var result = 0
    forEachString(of: name) { string in
      result &+= string.count
      return true
    }
    return result
  }

  /// The type letter of `name` and what follows it; a name beyond the maximum length is truncated.
  func expand(_ name: KallsymsName) -> (type: UInt8, name: String) {
    // On the stack: a type letter and 511 others at most (`KSYM_NAME_LEN`, 512 since 6.1).
    var letters = InlineArray<512, UInt8>(repeating: 0)
    var count = 0
    forEachString(of: name) { string in
      guard count &+ string.count <= letters.count else { return false }
      for index in string.indices {
        letters[count] = string[index]
        count &+= 1
      }
      return true
    }
    guard count > 0 else { return (0, "") }
    return (letters[0], letters.span.rawSpan.extracting(1..<count).string())
  }

  /// The hash of `name` without its type letter.
  func hash(_ name: KallsymsName) -> NameIndex.Hash {
    var hash = NameIndex.Hash()
    var isType = true
    forEachString(of: name) { string in
      for index in string.indices {
        if isType { isType = false } else { hash.add(string[index]) }
      }
      return true
    }
    return hash
  }

  /// Compares `name`, without its type letter, with `other`, like strcmp: below 0 if it comes first, 0 if they are
  /// equal.
  @inline(__always)
  func compare(_ name: KallsymsName, _ other: [UInt8]) -> Int {
    let other = other.span
    // -1 stands for the type letter, which may be any.
    var position = -1
    var difference = 0
    forEachString(of: name) { string in
      for index in string.indices {
        if position >= 0 {
          difference = position < other.count ? Int(string[index]) &- Int(other[position]) : 1
          if difference != 0 { return false }
        }
        position &+= 1
      }
      return true
    }
    if difference != 0 { return difference }
    return position == other.count ? 0 : -1
  }
}
