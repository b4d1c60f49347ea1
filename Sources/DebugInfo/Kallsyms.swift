import Bytes
import Synchronization

/// Where the tables of kallsyms are, and which of their shapes they have.
public struct KallsymsTables: Hashable, Sendable {
  /// How addresses are stored.
  public enum Addresses: Hashable, Sendable {
    /// `kallsyms_addresses`: 64-bit addresses.
    case absolute(UInt64)
    /// `kallsyms_offsets`: 32-bit offsets from `kallsyms_relative_base`, whose value this is (4.6 to 6.19).
    case relative(UInt64, base: UInt64)
    /// `kallsyms_offsets`: signed 32-bit distances from each offset itself (7.0, a081b5789255d).
    case placeRelative(UInt64)

    /// Where the table is.
    var table: UInt64 {
      switch self {
      case .absolute(let table), .relative(let table, _), .placeRelative(let table): table
      }
    }
  }

  /// `kallsyms_num_syms`.
  public var count: Int
  /// `kallsyms_names`: for each symbol a length and as many tokens.
  public var names: UInt64
  /// `kallsyms_markers`: for each 256 symbols where their names begin.
  public var markers: UInt64
  /// Bytes of one marker: 8 in 4.20 and before, 4 since.
  public var markerSize: Int
  /// `kallsyms_token_table`: 256 strings.
  public var tokenTable: UInt64
  /// `kallsyms_token_index`: where each token's string begins.
  public var tokenIndex: UInt64
  /// `kallsyms_offsets` or `kallsyms_addresses`.
  public var addresses: Addresses

  /// Puts the tables together.
  public init(
    count: Int, names: UInt64, markers: UInt64, markerSize: Int, tokenTable: UInt64, tokenIndex: UInt64,
    addresses: Addresses
  ) {
    self.count = count
    self.names = names
    self.markers = markers
    self.markerSize = markerSize
    self.tokenTable = tokenTable
    self.tokenIndex = tokenIndex
    self.addresses = addresses
  }
}

/// The kernel's own symbol table, as it lies in a dump: looked up in place, token by token.
///
///     token_table: "cpu_\0str\0...0\0..."      token_index: 0, 5, 9, ...
///     names:       length | token token ...    the first letter of a name is its type
///
/// An address is found by bisection and one block of names; a name by one pass that compares tokens and
/// mostly fails at the first. (kernel/kallsyms.c, scripts/kallsyms.c)
public final class Kallsyms<Space: ByteSource>: SymbolSource {
  /// What it is, for `info`.
  public var origin: String { "kallsyms in the dump" }
  /// How many symbols there are.
  public var count: Int { tables.count }
  /// An address that none of the tables passes but for the sequence numbers: what is read-only in the kernel and
  /// is no data of a file's own stands behind it, the export tables and BTF among it.
  /// (include/asm-generic/vmlinux.lds.h, `RO_DATA`)
  public var end: UInt64 {
    let size: UInt64 = if case .absolute = tables.addresses { 8 } else { 4 }
    return max(tables.tokenIndex &+ 512, tables.addresses.table &+ UInt64(tables.count) &* size)
  }

  private let tables: KallsymsTables
  private let space: Space
  private let tokens: Tokens
  private let markers: [UInt64]
  private let names = AtomicLazyReference<Blob>()
  private let offsets = AtomicLazyReference<Blob>()

  /// Symbols for one marker.
  private static var blockSize: Int { 256 }
  /// Text symbols further apart than this leave unnamed what lies between: data that a table of functions
  /// does not name.
  private static var longestFunction: UInt64 { 64 << 10 }

  private final class Blob: Sendable {
    let bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }
  }

  /// The strings of the tokens, one after another.
  private struct Tokens: Sendable {
    var text: [UInt8] = []
    var starts: [Int32] = []

    func bytes(_ token: UInt8) -> ArraySlice<UInt8> { text[Int(starts[Int(token)])..<Int(starts[Int(token) + 1])] }

    /// How many letters `tokens` spell.
    @inline(__always)
    func length(_ tokens: ArraySlice<UInt8>) -> Int {
      var length: Int32 = 0
      for token in tokens { length &+= starts[Int(token) + 1] &- starts[Int(token)] }
      return Int(length)
    }
  }

  /// Reads the small tables and looks whether they agree with each other.
  ///
  /// - Returns: nil when they cannot be read, or are not what kallsyms writes.
  public init?(_ tables: KallsymsTables, in space: Space) {
    let textSize = tables.tokenIndex &- tables.tokenTable
    guard tables.count > 0, tables.count <= Limits.symbols, textSize <= 65536,
      let index = space.bytes(from: tables.tokenIndex, count: 512),
      let text = space.bytes(from: tables.tokenTable, count: Int(textSize))
    else { return nil }
    var tokens = Tokens()
    for number in 0..<256 {
      let start = Int(index[number * 2]) | Int(index[number * 2 + 1]) << 8
      guard start < text.count, let end = text[start...].firstIndex(of: 0), end - start <= Limits.symbolName else {
        return nil
      }
      tokens.starts.append(Int32(tokens.text.count))
      tokens.text += text[start..<end]
    }
    tokens.starts.append(Int32(tokens.text.count))
    let blocks = (tables.count + Self.blockSize - 1) / Self.blockSize
    guard let raw = space.bytes(from: tables.markers, count: blocks * tables.markerSize) else { return nil }
    var markers: [UInt64] = []
    for block in 0..<blocks {
      let bytes = raw[(block * tables.markerSize)..<((block + 1) * tables.markerSize)]
      let marker = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      if let last = markers.last, marker <= last || marker - last > UInt64(Self.blockSize * Limits.symbolName) {
        return nil
      }
      markers.append(marker)
    }
    guard markers[0] == 0 else { return nil }
    self.tables = tables
    self.space = space
    self.tokens = tokens
    self.markers = markers
    // The first block must end where the second is said to begin.
    if blocks > 1 {
      guard let block = space.bytes(from: tables.names, count: Int(markers[1])), Self.fits(block[...]) else {
        return nil
      }
    }
  }

  // MARK: - Names

  /// The length of the name at `start` of `bytes` and where its tokens begin. Since 6.1 (73bbb94466fd) a
  /// length of 128 and more takes two bytes, seven bits and then eight; before it took one. Nothing marks
  /// the change, but a name that long does not occur in kernels without it: `KSYM_NAME_LEN` was 128.
  @inline(__always)
  private static func header(_ bytes: ArraySlice<UInt8>, _ start: Int) -> (length: Int, tokens: Int)? {
    guard start < bytes.endIndex else { return nil }
    let first = bytes[start]
    if first & 0x80 == 0 { return (Int(first), start + 1) }
    guard start + 1 < bytes.endIndex else { return nil }
    return (Int(first & 0x7f) | Int(bytes[start + 1]) << 7, start + 2)
  }

  /// Whether `block` is exactly the names of a block.
  private static func fits(_ block: ArraySlice<UInt8>) -> Bool {
    var position = block.startIndex
    for _ in 0..<blockSize {
      guard let (length, tokens) = header(block, position), length > 0 else { return false }
      position = tokens + length
    }
    return position == block.endIndex
  }

  /// The bytes of the names of block `number`, at most to the end of the last.
  private func block(_ number: Int) -> ArraySlice<UInt8>? {
    if let names = names.load() {
      let start = Int(markers[number])
      let end = number + 1 < markers.count ? Int(markers[number + 1]) : names.bytes.count
      return start <= end && end <= names.bytes.count ? names.bytes[start..<end] : nil
    }
    let size = number + 1 < markers.count ? Int(markers[number + 1] - markers[number]) : tailSize
    return space.bytes(from: tables.names &+ markers[number], count: size).map { $0[...] }
  }

  /// The names of the last block end before the next table.
  private var tailSize: Int {
    let last = markers[markers.count - 1]
    let end = tables.markers > tables.names ? tables.markers : tables.names &+ last &+ 65536
    return Int(min(end &- tables.names &- last, UInt64(Self.blockSize * Limits.symbolName)))
  }

  private func allNames() -> Blob? {
    if let names = names.load() { return names }
    let count = Int(markers[markers.count - 1]) + tailSize
    guard let bytes = space.bytes(from: tables.names, count: count) else { return nil }
    return names.storeIfNil(Blob(bytes))
  }

  /// A name and its type letter from its tokens.
  private func expand(_ bytes: ArraySlice<UInt8>) -> (type: UInt8, name: String) {
    var text: [UInt8] = []
    for token in bytes {
      text += tokens.bytes(token)
      if text.count > Limits.symbolName { break }
    }
    return (text.first ?? 0, String(decoding: text.dropFirst(), as: UTF8.self))
  }

  /// Whether the tokens spell `name` behind a type letter.
  @inline(__always)
  private func spells(_ bytes: ArraySlice<UInt8>, _ name: [UInt8]) -> Bool {
    // -1 stands for the type letter, which may be any.
    var position = -1
    for token in bytes {
      let start = Int(tokens.starts[Int(token)])
      let end = Int(tokens.starts[Int(token) + 1])
      for index in start..<end {
        if position >= 0, position >= name.count || tokens.text[index] != name[position] { return false }
        position += 1
      }
    }
    return position == name.count
  }

  /// The name of symbol `number`.
  private func name(_ number: Int) -> (type: UInt8, name: String)? {
    guard let block = block(number / Self.blockSize) else { return nil }
    var position = block.startIndex
    for _ in 0..<(number % Self.blockSize) {
      guard let (length, tokens) = Self.header(block, position) else { return nil }
      position = tokens + length
    }
    guard let (length, tokens) = Self.header(block, position), tokens + length <= block.endIndex else { return nil }
    return expand(block[tokens..<(tokens + length)])
  }

  // MARK: - Addresses

  private func allOffsets() -> Blob? {
    if let offsets = offsets.load() { return offsets }
    var size = 4
    if case .absolute = tables.addresses { size = 8 }
    guard let bytes = space.bytes(from: tables.addresses.table, count: tables.count * size) else { return nil }
    return offsets.storeIfNil(Blob(bytes))
  }

  /// The address of symbol `number` from the bytes of the table.
  private func address(_ number: Int, _ bytes: [UInt8]) -> UInt64 {
    func half() -> UInt32 {
      let at = number * 4
      return UInt32(bytes[at]) | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2]) << 16 | UInt32(bytes[at + 3]) << 24
    }
    switch tables.addresses {
    case .absolute: return bytes[(number * 8)..<(number * 8 + 8)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    case .relative(_, let base): return base &+ UInt64(half())
    case .placeRelative(let table):
      return table &+ UInt64(number * 4) &+ UInt64(bitPattern: Int64(Int32(bitPattern: half())))
    }
  }

  private func symbol(_ number: Int, _ offsets: [UInt8]) -> Symbol? {
    guard let (type, name) = name(number) else { return nil }
    return symbol(number, offsets, type, name)
  }

  private func symbol(_ number: Int, _ offsets: [UInt8], _ type: UInt8, _ name: String) -> Symbol {
    symbol(number, offsets, type, name, next: next(after: number, offsets))
  }

  private func symbol(_ number: Int, _ offsets: [UInt8], _ type: UInt8, _ name: String, next: Int) -> Symbol {
    let here = address(number, offsets)
    return Symbol(
      name: name, address: here, size: next < tables.count ? address(next, offsets) &- here : 0, type: type)
  }

  /// The first symbol behind `number` that has another address.
  private func next(after number: Int, _ offsets: [UInt8]) -> Int {
    let here = address(number, offsets)
    var next = number + 1
    while next < tables.count, address(next, offsets) == here { next += 1 }
    return next
  }

  // MARK: - SymbolSource

  /// The first symbol of this name.
  public func symbol(named name: String) -> Symbol? {
    guard let names = allNames(), let offsets = allOffsets() else { return nil }
    let wanted = Array(name.utf8)
    var position = 0
    for number in 0..<tables.count {
      guard let (length, start) = Self.header(names.bytes[...], position), start + length <= names.bytes.count else {
        return nil
      }
      if spells(names.bytes[start..<(start + length)], wanted) { return symbol(number, offsets.bytes) }
      position = start + length
    }
    return nil
  }

  /// The addresses of those of `names` that there are, in one pass: names of another length are passed by.
  public func addresses(of names: [String]) -> [Int: UInt64] {
    guard let all = allNames(), let offsets = allOffsets() else { return [:] }
    var wanted = names.enumerated().map { (place: $0.offset, name: Array($0.element.utf8)) }
    // A name stands behind its type letter.
    var lengths = Set(wanted.map { $0.name.count + 1 }).sorted()
    var result: [Int: UInt64] = [:]
    var position = 0
    for number in 0..<tables.count {
      guard let (length, start) = Self.header(all.bytes[...], position), start + length <= all.bytes.count else {
        break
      }
      position = start + length
      let tokens = all.bytes[start..<position]
      guard lengths.contains(self.tokens.length(tokens)),
        let match = wanted.firstIndex(where: { spells(tokens, $0.name) })
      else { continue }
      result[wanted[match].place] = address(number, offsets.bytes)
      wanted.remove(at: match)
      if wanted.isEmpty { break }
      lengths = Set(wanted.map { $0.name.count + 1 }).sorted()
    }
    return result
  }

  /// The nearest symbol at or below `address`; of several at one address the first, as the kernel does.
  public func symbol(containing address: UInt64) -> Symbol? {
    guard let offsets = allOffsets() else { return nil }
    var low = 0
    var high = tables.count
    while low < high {
      let middle = (low + high) / 2
      if self.address(middle, offsets.bytes) <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    var number = low - 1
    let start = self.address(number, offsets.bytes)
    while number > 0, self.address(number - 1, offsets.bytes) == start { number -= 1 }
    guard let symbol = symbol(number, offsets.bytes) else { return nil }
    let isText = symbol.type.map { "tTwW".utf8.contains($0) } ?? false
    let limit = symbol.size == 0 || isText ? Self.longestFunction : symbol.size
    return address &- start < limit ? symbol : nil
  }

  /// All symbols, in the order of their addresses.
  public func forEachSymbol(_ body: (Symbol) -> Bool) {
    guard let names = allNames(), let offsets = allOffsets() else { return }
    var position = 0
    // Those at one address have the next one in common.
    var next = 0
    for number in 0..<tables.count {
      if next <= number { next = self.next(after: number, offsets.bytes) }
      guard let (length, start) = Self.header(names.bytes[...], position), start + length <= names.bytes.count else {
        return
      }
      let (type, name) = expand(names.bytes[start..<(start + length)])
      guard body(symbol(number, offsets.bytes, type, name, next: next)) else { return }
      position = start + length
    }
  }
}

extension ByteSource {
  /// `count` bytes from `address`, as many as are ever copied at once at most.
  func bytes(from address: UInt64, count: Int) -> [UInt8]? {
    guard count >= 0, address <= .max - UInt64(count) else { return nil }
    return bytes(address..<(address + UInt64(count)), limit: Limits.readAtOnce)
  }
}
