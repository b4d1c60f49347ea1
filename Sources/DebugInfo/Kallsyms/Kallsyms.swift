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
  /// `kallsyms_seqs_of_names`: the symbols' numbers in the order of their names, three bytes each, the highest
  /// first (6.2, 60443c88f3a8, and 6.1.y); nil where there is none.
  public var sequences: UInt64?

  /// Puts the tables together.
  public init(
    count: Int, names: UInt64, markers: UInt64, markerSize: Int, tokenTable: UInt64, tokenIndex: UInt64,
    addresses: Addresses, sequences: UInt64? = nil
  ) {
    self.count = count
    self.names = names
    self.markers = markers
    self.markerSize = markerSize
    self.tokenTable = tokenTable
    self.tokenIndex = tokenIndex
    self.addresses = addresses
    self.sequences = sequences
  }
}

/// The kernel's own symbol table, as it lies in a dump: looked up in place, token by token.
///
///     token_table: "cpu_\0str\0...0\0..."      token_index: 0, 5, 9, ...
///     names:       length | token token ...    the first letter of a name is its type
///
/// An address is found by bisection and one block of names. So is a name, where the kernel keeps their order
/// and it holds; else by one pass that compares tokens and mostly fails at the first.
///
/// Where memory was overwritten, names would be those of other symbols. So a block of names counts only where it
/// ends at the next marker, and addresses only where they ascend.
/// (kernel/kallsyms.c, scripts/kallsyms.c)
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
  private let tokens: KallsymsTokens
  private let markers: [UInt64]
  private let names = AtomicOnce<KallsymsNames?>()
  private let offsets = AtomicOnce<KallsymsOffsets?>()
  private let order = AtomicOnce<[UInt8]?>()
  /// Blocks of names that were read by themselves.
  private let reads = Atomic<Int>(0)

  /// Symbols for one marker.
  private static var blockSize: Int { 256 }
  /// Blocks that are read by themselves before all names are.
  private static var readsBeforeAll: Int { 64 }
  /// Text symbols further apart than this leave unnamed what lies between: data that a table of functions
  /// does not name.
  private static var longestFunction: UInt64 { 64 << 10 }

  /// Reads the small tables and looks whether they agree with each other.
  ///
  /// - Returns: nil when they cannot be read, or are not what kallsyms writes.
  public init?(_ tables: KallsymsTables, in space: Space) {
    let textSize = tables.tokenIndex &- tables.tokenTable
    guard tables.count > 0, tables.count <= Limits.symbols, textSize <= 65536,
      let index = space.bytes(at: tables.tokenIndex, count: 512),
      let text = space.bytes(at: tables.tokenTable, count: Int(textSize)),
      let tokens = KallsymsTokens(table: text, index: index)
    else { return nil }
    let blocks = (tables.count + Self.blockSize - 1) / Self.blockSize
    guard let raw = space.bytes(at: tables.markers, count: blocks * tables.markerSize) else { return nil }
    var markers: [UInt64] = []
    for block in 0..<blocks {
      let at = block * tables.markerSize
      let marker =
        tables.markerSize == 8
        ? raw.rawSpan.integer(UInt64.self, at: at)
        : raw.rawSpan.integer(UInt32.self, at: at).map(UInt64.init)
      guard let marker else { return nil }
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
  }

  /// What of the tables is damaged, in words; nil where nothing is.
  public var damage: String? {
    guard let names = allNames(), let offsets = allOffsets() else {
      return "kallsyms is damaged: the names or the addresses of all symbols are not in the dump"
    }
    let lost = names.lost + offsets.lost.count
    return lost == 0 ? nil : "kallsyms is damaged: the names or addresses of \(lost) symbols were overwritten"
  }

  // MARK: - Names

  /// Whether `end` is where the names of `block` end, in bytes behind where they begin.
  private func isEnd(_ end: Int?, ofBlock block: Int) -> Bool {
    guard let end else { return false }
    if block + 1 < markers.count { return end == Int(markers[block + 1] - markers[block]) }
    // The last block is padded to the next table, which labels of eight bytes' tables have aligned to 256.
    let alignment = tables.markerSize == 8 ? 256 : 8
    return end <= tailSize && (tables.markers < tables.names || tailSize - end < alignment)
  }

  /// Some bytes with names, where in them a name begins, and how many names on that of symbol `number` begins:
  /// its block by itself, or all names once many were asked for.
  private func nearest(_ number: Int) -> (bytes: [UInt8], start: Int, skip: Int)? {
    // What was overwritten may begin in the last name of a block, which only the next one tells.
    let isAlone = reads.load(ordering: .relaxed) < Self.readsBeforeAll && number % Self.blockSize != Self.blockSize - 1
    if let names = isAlone ? names.value ?? nil : allNames() {
      guard let start = names.mark(number) else { return nil }
      return (names.bytes, start, number % KallsymsNames.spacing)
    }
    reads.wrappingAdd(1, ordering: .relaxed)
    let block = number / Self.blockSize
    let size = block + 1 < markers.count ? Int(markers[block + 1] - markers[block]) : tailSize
    guard let bytes = space.bytes(at: tables.names &+ markers[block], count: size),
      isEnd(tokens.end(ofNames: names(inBlock: block), from: 0, in: bytes), ofBlock: block)
    else { return nil }
    return (bytes, 0, number % Self.blockSize)
  }

  private func names(inBlock block: Int) -> Int { min(Self.blockSize, tables.count - block * Self.blockSize) }

  /// The names of the last block end before the next table.
  private var tailSize: Int {
    let last = markers[markers.count - 1]
    let end = tables.markers > tables.names ? tables.markers : tables.names &+ last &+ 65536
    return Int(min(end &- tables.names &- last, UInt64(Self.blockSize * Limits.symbolName)))
  }

  private func allNames() -> KallsymsNames? {
    names.value {
      let count = Int(markers[markers.count - 1]) + tailSize
      guard let bytes = space.bytes(at: tables.names, count: count) else { return nil }
      let blocks = markers.indices.map { (start: Int(markers[$0]), count: names(inBlock: $0)) }
      return KallsymsNames(bytes, tokens, blocks) { block, place in
        isEnd(place - blocks[block].start, ofBlock: block)
      }
    }
  }

  /// Calls `body` with each symbol's number and its name, from the first on, until it returns false.
  private func forEachName(_ body: (Int, KallsymsName) -> Bool) {
    guard let names = allNames() else { return }
    let bytes = names.bytes
    for block in markers.indices {
      let first = block * Self.blockSize
      guard var position = names.mark(first) else { continue }
      for number in first..<(first + self.names(inBlock: block)) {
        if number % KallsymsNames.spacing == 0, names.mark(number) == nil { break }
        guard let (length, start) = KallsymsName.header(bytes.span, position), start + length <= bytes.count,
          body(number, KallsymsName(bytes: bytes, tokens: start..<(start + length)))
        else { return }
        position = start + length
      }
    }
  }

  /// The name of symbol `number`.
  private func name(_ number: Int) -> KallsymsName? {
    guard let (bytes, first, skip) = nearest(number), let start = KallsymsName.skip(skip, from: first, in: bytes),
      let (length, tokens) = KallsymsName.header(bytes.span, start), tokens + length <= bytes.count
    else { return nil }
    return KallsymsName(bytes: bytes, tokens: tokens..<(tokens + length))
  }

  // MARK: - Addresses

  /// Bytes of one address.
  private var addressSize: Int { if case .absolute = tables.addresses { 8 } else { 4 } }

  private func allOffsets() -> KallsymsOffsets? {
    offsets.value {
      space.bytes(at: tables.addresses.table, count: tables.count * addressSize).map {
        KallsymsOffsets(bytes: $0, lost: lost($0))
      }
    }
  }

  /// The numbers of the symbols whose addresses cannot be believed: where they do not ascend, or all entries of a page
  /// are the same; by whole pages, for what was overwritten may ascend by chance.
  private func lost(_ bytes: [UInt8]) -> Range<Int> {
    let count = tables.count
    let perPage = 4096 / addressSize
    let head = Int(tables.addresses.table & 4095) / addressSize
    func pageStart(_ number: Int) -> Int { max(0, (number + head) / perPage * perPage - head) }
    func pageEnd(_ number: Int) -> Int { min(count, pageStart(number + perPage)) }
    func isConstant(_ first: Int) -> Bool {
      let last = pageEnd(first) - 1
      // System calls that there are not have some hundred names for one address.
      guard last - first >= 512 else { return false }
      let size = addressSize
      let entry = bytes[(first * size)..<(first * size + size)]
      return [first + 1, (first + last) / 2, last].allSatisfy { bytes[($0 * size)..<($0 * size + size)] == entry }
    }
    var lower = firstDescent(bytes)
    var upper = lower < count ? count - 1 : 0
    while upper > 0, address(upper, bytes) >= address(upper - 1, bytes) { upper -= 1 }
    lower = lower < count ? pageStart(lower) : count
    upper = upper > 0 ? max(pageEnd(upper - 1), lower) : 0
    for first in [0] + stride(from: perPage - head, to: count, by: perPage) where isConstant(first) {
      lower = min(lower, first)
      upper = max(upper, pageEnd(first))
    }
    guard lower < upper else { return 0..<0 }
    while lower > 0, upper < count, address(lower - 1, bytes) > address(upper, bytes) {
      // One side is wrong; which, the other neighbours do not tell.
      lower = pageStart(lower - 1)
      upper = pageEnd(upper)
    }
    return lower..<upper
  }

  /// The first symbol at a lower address than the one before it; how many symbols there are where none is.
  private func firstDescent(_ bytes: [UInt8]) -> Int {
    if case .relative = tables.addresses {
      // One base is added to all.
      let words = bytes.rawSpan
      var before: UInt32 = 0
      for number in 0..<tables.count {
        let here = words.integer(UInt32.self, at: number &* 4) ?? 0
        guard here >= before else { return number }
        before = here
      }
      return tables.count
    }
    var number = 1
    while number < tables.count, address(number, bytes) >= address(number - 1, bytes) { number += 1 }
    return number
  }

  /// The address of symbol `number` from the bytes of the table.
  @inline(__always)
  private func address(_ number: Int, _ bytes: [UInt8]) -> UInt64 {
    let raw = bytes.rawSpan
    if case .absolute = tables.addresses { return raw.integer(UInt64.self, at: number &* 8) ?? 0 }
    let half = raw.integer(UInt32.self, at: number &* 4) ?? 0
    return switch tables.addresses {
    case .relative(_, let base): base &+ UInt64(half)
    case .placeRelative(let table), .absolute(let table):
      table &+ UInt64(number &* 4) &+ UInt64(bitPattern: Int64(Int32(bitPattern: half)))
    }
  }

  private func symbol(_ number: Int, _ offsets: KallsymsOffsets) -> Symbol? {
    guard !offsets.lost.contains(number), let stored = name(number) else { return nil }
    return symbol(number, offsets, stored, next: next(after: number, offsets))
  }

  private func symbol(_ number: Int, _ offsets: KallsymsOffsets, _ stored: KallsymsName, next: Int) -> Symbol {
    let (type, name) = tokens.expand(stored)
    let here = address(number, offsets.bytes)
    let isKnown = next < tables.count && !offsets.lost.contains(next)
    return Symbol(name: name, address: here, size: isKnown ? address(next, offsets.bytes) &- here : 0, type: type)
  }

  /// The first symbol behind `number` that has another address.
  private func next(after number: Int, _ offsets: KallsymsOffsets) -> Int {
    let here = address(number, offsets.bytes)
    var next = number + 1
    while next < tables.count, address(next, offsets.bytes) == here { next += 1 }
    return next
  }

  /// The first of the symbols that stand at or next below `address`; nil where there is none, or those that may are
  /// lost.
  private func first(atOrBelow address: UInt64, _ offsets: KallsymsOffsets) -> Int? {
    let (bytes, lost) = (offsets.bytes, offsets.lost)
    let isBelow = lost.isEmpty || lost.upperBound == tables.count || address < self.address(lost.upperBound, bytes)
    let first = isBelow ? 0 : lost.upperBound
    let end = isBelow && !lost.isEmpty ? lost.lowerBound : tables.count
    let next = (first..<end).partitioningIndex { self.address($0, bytes) > address }
    guard next > first, lost.isEmpty || next != lost.lowerBound else { return nil }
    var number = next - 1
    let start = self.address(number, bytes)
    while number > first, self.address(number - 1, bytes) == start { number -= 1 }
    return number
  }

  // MARK: - The order of names

  /// Names that are compared before the order of names is believed.
  private static var samples: Int { 16 }

  /// The numbers in the order of names, where names taken evenly from all over it are in order.
  private func namesInOrder() -> [UInt8]? {
    order.value {
      tables.sequences.flatMap { space.bytes(at: $0, count: tables.count * 3) }.flatMap { isInOrder($0) ? $0 : nil }
    }
  }

  private func isInOrder(_ order: [UInt8]) -> Bool {
    guard !order.isEmpty else { return false }
    var last: [UInt8] = []
    for sample in 0..<min(Self.samples, tables.count) {
      let place = sample * (tables.count - 1) / max(1, min(Self.samples, tables.count) - 1)
      guard let stored = stored(at: place, order), tokens.compare(stored, last) >= 0 else { return false }
      last = Array(tokens.expand(stored).name.utf8)
    }
    return true
  }

  /// The number that stands at `place` in the order of names.
  private func number(at place: Int, _ order: [UInt8]) -> Int {
    Int(order[place * 3]) << 16 | Int(order[place * 3 + 1]) << 8 | Int(order[place * 3 + 2])
  }

  private func stored(at place: Int, _ order: [UInt8]) -> KallsymsName? {
    let number = number(at: place, order)
    return number < tables.count ? name(number) : nil
  }

  /// The first symbol of `name` by bisection.
  ///
  /// - Returns: nil where bisection does not tell: a kernel built with LTO orders some names without the
  ///   suffix that they have (`cleanup_symbol_name`, scripts/kallsyms.c, 6.2).
  private func bisect(_ name: [UInt8], _ order: [UInt8]) -> Int?? {
    var isWhole = true
    let place = (0..<tables.count).partitioningIndex {
      guard isWhole, let stored = stored(at: $0, order) else {
        isWhole = false
        return true
      }
      return tokens.compare(stored, name) >= 0
    }
    guard isWhole else { return nil }
    guard place < tables.count else { return .some(nil) }
    guard let stored = stored(at: place, order) else { return nil }
    if tokens.compare(stored, name) == 0 { return .some(number(at: place, order)) }
    return tokens.expand(stored).name.utf8.starts(with: name + [UInt8(ascii: ".")]) ? nil : .some(nil)
  }

  // MARK: - SymbolSource

  /// The first symbol of this name.
  public func symbol(named name: String) -> Symbol? {
    guard let number = number(named: Array(name.utf8)), let offsets = allOffsets() else { return nil }
    return symbol(number, offsets)
  }

  private func number(named name: [UInt8]) -> Int? {
    if let order = namesInOrder(), let found = bisect(name, order) { return found }
    var result: Int?
    forEachName { number, stored in
      if tokens.compare(stored, name) == 0 { result = number }
      return result == nil
    }
    return result
  }

  /// The addresses of those of `names` that there are; where names are not in order, in one pass that goes by
  /// those of another length.
  public func addresses(of names: [String]) -> [Int: UInt64] {
    guard let offsets = allOffsets() else { return [:] }
    var wanted = names.enumerated().map { (place: $0.offset, name: Array($0.element.utf8)) }
    var result: [Int: UInt64] = [:]
    if namesInOrder() != nil {
      for (place, name) in wanted {
        guard let number = number(named: name), !offsets.lost.contains(number) else { continue }
        result[place] = address(number, offsets.bytes)
      }
      return result
    }
    // A name stands behind its type letter.
    var lengths = Set(wanted.map { $0.name.count + 1 })
    forEachName { number, stored in
      guard lengths.contains(tokens.length(stored)),
        let match = wanted.firstIndex(where: { tokens.compare(stored, $0.name) == 0 })
      else { return true }
      if !offsets.lost.contains(number) { result[wanted[match].place] = address(number, offsets.bytes) }
      wanted.remove(at: match)
      lengths = Set(wanted.map { $0.name.count + 1 })
      return !wanted.isEmpty
    }
    return result
  }

  /// Whether one of the symbols at `address` is of this name.
  public func has(_ name: String, at address: UInt64) -> Bool {
    guard let offsets = allOffsets(), var number = first(atOrBelow: address, offsets) else { return false }
    let wanted = Array(name.utf8)
    while number < tables.count, self.address(number, offsets.bytes) == address {
      guard let stored = self.name(number) else { return false }
      if tokens.compare(stored, wanted) == 0 { return true }
      number += 1
    }
    return false
  }

  /// The nearest symbol at or below `address`; of several at one address the first, as the kernel does.
  public func symbol(containing address: UInt64) -> Symbol? {
    guard let offsets = allOffsets(), let number = first(atOrBelow: address, offsets),
      let symbol = symbol(number, offsets)
    else { return nil }
    let isText = symbol.type.map { "tTwW".utf8.contains($0) } ?? false
    let limit = symbol.size == 0 || isText ? Self.longestFunction : symbol.size
    return address &- symbol.address < limit ? symbol : nil
  }

  /// All symbols, in the order of their addresses.
  public func forEachSymbol(_ body: (Symbol) -> Bool) {
    guard let offsets = allOffsets() else { return }
    // Those at one address have the next one in common.
    var next = 0
    forEachName { number, stored in
      guard !offsets.lost.contains(number) else { return true }
      if next <= number { next = self.next(after: number, offsets) }
      return body(symbol(number, offsets, stored, next: next))
    }
  }
}

/// All names, with where every sixteenth begins.
private struct KallsymsNames: Sendable {
  static var spacing: Int { 16 }
  let bytes: [UInt8]
  /// Symbols whose names are lost.
  let lost: Int
  private let marks: [UInt32]

  /// Stands for a place that is lost.
  private static var none: UInt32 { .max }

  /// Finds the names in `bytes`.
  ///
  /// - Parameters:
  ///   - blocks: where the names of each block begin, and how many it has.
  ///   - isEnd: whether the names of a block may end at a place.
  init(
    _ bytes: [UInt8], _ tokens: KallsymsTokens, _ blocks: [(start: Int, count: Int)],
    isEnd: (_ block: Int, _ place: Int) -> Bool
  ) {
    var marks: [UInt32] = []
    var lost = 0
    for (number, block) in blocks.enumerated() {
      let before = marks.count
      var position: Int? = block.start
      for first in stride(from: 0, to: block.count, by: Self.spacing) {
        marks.append(position.flatMap { UInt32(exactly: $0) } ?? Self.none)
        position = position.flatMap {
          tokens.end(ofNames: min(Self.spacing, block.count - first), from: $0, in: bytes)
        }
      }
      if let position, isEnd(number, position) { continue }
      lost += block.count
      for index in before..<marks.count { marks[index] = Self.none }
      // What was overwritten may begin in the last name of the block before.
      if before > 0, marks[before - 1] != Self.none {
        lost += Self.spacing
        marks[before - 1] = Self.none
      }
    }
    self.bytes = bytes
    self.lost = lost
    self.marks = marks
  }

  /// Where the nearest name begins that has a mark, at or before that of symbol `number`; nil where it is lost.
  func mark(_ number: Int) -> Int? {
    let place = number / Self.spacing
    return place < marks.count && marks[place] != Self.none ? Int(marks[place]) : nil
  }
}

/// The table of addresses.
private struct KallsymsOffsets: Sendable {
  let bytes: [UInt8]
  /// The symbols whose addresses cannot be believed.
  let lost: Range<Int>
}
