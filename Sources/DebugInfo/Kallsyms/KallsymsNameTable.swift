import Bytes
import Synchronization

/// The names of all symbols, read block by block on demand, or all at once.
///
///     markers: where the names of each 256 symbols begin
///     names:   length | token token ...
///
/// If memory was overwritten, names could be those of other symbols: a block is used only if it ends at the next
/// marker.
final class KallsymsNameTable<Space: ByteSource>: Sendable {
  /// The strings that names are made of.
  let tokens: KallsymsTokens
  private let tables: KallsymsTables
  private let space: Space
  private let markers: [UInt64]
  private let names = AtomicOnce<KallsymsNames?>()
  /// Cached blocks of names: searches by name begin at the same ones.
  private let blocks = Mutex<[Int: [UInt8]]>([:])

  /// Symbols per marker.
  private static var blockSize: Int { 256 }
  /// Blocks read singly before all names are read.
  private static var blocksBeforeAll: Int { 64 }

  /// Reads the tokens and markers and checks that they agree with each other.
  ///
  /// - Returns: nil if they are unreadable or malformed.
  init?(_ tables: KallsymsTables, in space: Space) {
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

  /// The number of overwritten names; nil if the names are not all in the dump.
  var lost: Int? { all?.lost }

  /// The name of symbol `number`; nil if it cannot be read, or was overwritten.
  func name(_ number: Int) -> KallsymsName? {
    guard let (bytes, first, skip) = nearest(number), let start = KallsymsName.skip(skip, from: first, in: bytes),
      let (length, tokens) = KallsymsName.header(bytes.span, start), tokens + length <= bytes.count
    else { return nil }
    return KallsymsName(bytes: bytes, tokens: tokens..<(tokens + length))
  }

  /// Calls `body` with each symbol's number and its name, from the first on, until it returns false.
  func forEach(_ body: (Int, KallsymsName) -> Bool) {
    guard let names = all else { return }
    let bytes = names.bytes
    for block in markers.indices {
      let first = block * Self.blockSize
      guard var position = names.mark(first) else { continue }
      for number in first..<(first + count(inBlock: block)) {
        if number % KallsymsNames.spacing == 0, names.mark(number) == nil { break }
        guard let (length, start) = KallsymsName.header(bytes.span, position), start + length <= bytes.count,
          body(number, KallsymsName(bytes: bytes, tokens: start..<(start + length)))
        else { return }
        position = start + length
      }
    }
  }

  /// Bytes with names, the start of a name in them, and how many names to skip to that of symbol `number`: from its
  /// block, or from all names once many were needed.
  private func nearest(_ number: Int) -> (bytes: [UInt8], start: Int, skip: Int)? {
    let isAlone = blocks.withLock { $0.count < Self.blocksBeforeAll }
    if let names = isAlone ? names.value ?? nil : all {
      guard let start = names.mark(number) else { return nil }
      return (names.bytes, start, number % KallsymsNames.spacing)
    }
    let block = number / Self.blockSize
    guard let bytes = names(ofBlock: block) else { return nil }
    // Damage may begin in the last name of a block, which only the next block shows.
    let isLast = number % Self.blockSize == Self.blockSize - 1
    if isLast, block + 1 < markers.count, names(ofBlock: block + 1) == nil { return nil }
    return (bytes, 0, number % Self.blockSize)
  }

  /// The names of one block; nil if they cannot be read, or were overwritten.
  private func names(ofBlock block: Int) -> [UInt8]? {
    if let known = blocks.withLock({ $0[block] }) { return known }
    let size = block + 1 < markers.count ? Int(markers[block + 1] - markers[block]) : tailSize
    guard let bytes = space.bytes(at: tables.names &+ markers[block], count: size),
      isEnd(tokens.end(ofNames: count(inBlock: block), from: 0, in: bytes), ofBlock: block)
    else { return nil }
    blocks.withLock { $0[block] = bytes }
    return bytes
  }

  /// All names; nil if they are not all in the dump.
  private var all: KallsymsNames? {
    names.value {
      let count = Int(markers[markers.count - 1]) + tailSize
      guard let bytes = space.bytes(at: tables.names, count: count) else { return nil }
      let blocks = markers.indices.map { (start: Int(markers[$0]), count: self.count(inBlock: $0)) }
      return KallsymsNames(bytes, tokens, blocks) { block, place in
        isEnd(place - blocks[block].start, ofBlock: block)
      }
    }
  }

  private func count(inBlock block: Int) -> Int { min(Self.blockSize, tables.count - block * Self.blockSize) }

  /// The bytes up to the next table, in which the names of the last block end.
  private var tailSize: Int {
    let last = markers[markers.count - 1]
    let end = tables.markers > tables.names ? tables.markers : tables.names &+ last &+ 65536
    return Int(min(end &- tables.names &- last, UInt64(Self.blockSize * Limits.symbolName)))
  }

  /// Whether the names of `block` end `end` bytes after their start.
  private func isEnd(_ end: Int?, ofBlock block: Int) -> Bool {
    guard let end else { return false }
    if block + 1 < markers.count { return end == Int(markers[block + 1] - markers[block]) }
    // The last block is padded to the next table, which kernels with 8-byte entries align to 256.
    let alignment = tables.markerSize == 8 ? 256 : 8
    return end <= tailSize && (tables.markers < tables.names || tailSize - end < alignment)
  }
}
