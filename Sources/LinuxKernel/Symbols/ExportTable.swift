import Bytes
import DebugInfo
import Synchronization

/// The symbols that the kernel exports to modules, for kernels whose kallsyms has only functions.
///
///     __ksymtab: value s32 | name s32 | namespace s32, each relative to itself     (5.4; two words in 4.19)
///
/// Found by structure: a name among the strings, then the word that points to it. Looked up in place.
/// (include/linux/export.h, `struct kernel_symbol` in include/linux/export-internal.h)
final class ExportTable: SymbolSource {
  private let tables: Lazy<Tables>
  private let index: Lazy<ExportIndex>
  /// The number of names looked up.
  private let searches = Atomic<Int>(0)

  /// Names looked up one by one before an index is built, which takes as long as some thirty look-ups.
  private static let searchesBeforeIndex = 16

  init(_ search: ReadOnlyDataScan?) {
    let tables = Lazy { search.map(Tables.find) ?? Tables() }
    self.tables = tables
    index = Lazy { ExportIndex(tables.value) }
  }

  /// Whether it was found.
  var isPresent: Bool { !tables.value.runs.isEmpty }
  var origin: String { "the kernel's export table" }

  func symbol(named name: String) -> Symbol? {
    let tables = tables.value
    let wanted = Array(name.utf8)
    if searches.load(ordering: .relaxed) >= Self.searchesBeforeIndex { return index.value.symbol(wanted, in: tables) }
    searches.wrappingAdd(1, ordering: .relaxed)
    return tables.first { tables.isName($0, wanted) }
  }

  /// Exported symbols have no size, so each names only its own address.
  func symbol(containing address: UInt64) -> Symbol? {
    let tables = tables.value
    return tables.first { tables.address($0) == address }
  }

  func forEachSymbol(_ body: (Symbol) -> Bool) {
    let tables = tables.value
    _ = tables.first { !body(tables.symbol($0)) }
  }
}

/// An index of the names in the tables.
private struct ExportIndex: Sendable {
  /// The offsets of the name words of all entries, in order.
  private let places: [Int]
  private let names: NameIndex

  init(_ tables: Tables) {
    var places: [Int] = []
    names = NameIndex { add in
      _ = tables.first { place in
        add(tables.hash(place), places.count)
        places.append(place)
        return false
      }
    }
    self.places = places
  }

  /// The symbol of the first entry called `name`.
  func symbol(_ name: [UInt8], in tables: Tables) -> Symbol? {
    names.first(name) { tables.isName(places[$0], name) }.map { tables.symbol(places[$0]) }
  }
}

/// The bytes that hold export tables and their names, and where each table is among them.
private struct Tables: Sendable {
  /// A table, as the offsets of its entries' name words, from the first to the last.
  struct Run: Sendable {
    var places: ClosedRange<Int>
    var stride: Int
  }

  var bytes: [UInt8] = []
  /// The address of the first byte.
  var start: UInt64 = 0
  var runs: [Run] = []

  /// Names exported by every kernel, some to all modules, some only to GPL modules.
  private static let anchors = ["init_task", "__per_cpu_offset", "kmem_cache_alloc", "init_uts_ns"]
  /// The fewest entries of a real table.
  private static let fewest = 16
  /// Bytes of the names of all entries: a distribution's kernel has some 300 KiB.
  private static let mostNames = 1 << 20

  static func find(_ search: ReadOnlyDataScan) -> Tables {
    for range in search.ranges {
      guard let bytes = search.space.bytes(in: range) else { continue }
      var tables = Tables(bytes: bytes, start: range.lowerBound)
      // Usually all tables are adjacent, so that the first name leads to all.
      for anchor in anchors where tables.runs.isEmpty { tables.addRuns(with: anchor) }
      let isWhole = range == search.range || !tables.runs.contains(where: tables.isCut)
      if !tables.runs.isEmpty, isWhole { return tables }
    }
    return Tables()
  }

  private mutating func addRuns(with name: String) {
    // The linker merges a name with the tail of a longer one, so it need not be preceded by NUL.
    for place in pointers(to: bytes.occurrences(of: Array(name.utf8) + [0]))
    where !runs.contains(where: { $0.places.contains(place) }) {
      for stride in [12, 8] {
        let run = Run(places: run(around: place, stride), stride: stride)
        guard run.places.upperBound - run.places.lowerBound >= Self.fewest * stride else { continue }
        runs.append(run)
        break
      }
    }
  }

  /// The word at `offset`, as a distance.
  @inline(__always)
  private func word(_ offset: Int) -> Int {
    Int(bytes.rawSpan.integer(Int32.self, at: offset) ?? 0)
  }

  /// The offsets of words that point to one of `targets`: the tables precede the names.
  private func pointers(to targets: [Int]) -> [Int] {
    guard let lowest = targets.min(), let highest = targets.max() else { return [] }
    var result: [Int] = []
    let span = bytes.rawSpan
    // 32 bits hold any offset among the bytes.
    let start = UInt32(truncatingIfNeeded: lowest)
    let reach = UInt32(truncatingIfNeeded: highest - lowest)
    let end = min(highest, bytes.count - 4)
    // The value precedes the name.
    var place = 4
    while place < end {
      let target = UInt32(truncatingIfNeeded: place) &+ (span.integer(UInt32.self, at: place) ?? 0)
      if target &- start <= reach, targets.contains(Int(target)) {
        result.append(place)
        if result.count == Limits.exportPointers { break }
      }
      place &+= 4
    }
    return result
  }

  /// Whether there can be an entry with its name word at `place`: it must point to an identifier.
  private func isEntry(_ place: Int) -> Bool {
    guard place >= 4, place <= bytes.count - 4 else { return false }
    let name = place + word(place)
    guard name > 0, name < bytes.count - 64 else { return false }
    for offset in 0..<64 {
      let letter = bytes[name + offset]
      if letter == 0 { return offset > 1 }
      guard letter == 0x5f || letter == 0x2e || (0x30...0x39).contains(letter) || (0x61...0x7a).contains(letter | 0x20)
      else { return false }
    }
    return true
  }

  /// The extent of the table that `place` is in.
  private func run(around place: Int, _ stride: Int) -> ClosedRange<Int> {
    var first = place
    while isEntry(first - stride) { first -= stride }
    var last = place
    while isEntry(last + stride) { last += stride }
    return first...last
  }

  /// Whether `run`, or its next name, may continue past the bytes.
  func isCut(_ run: Run) -> Bool {
    let next = run.places.upperBound + run.stride
    guard next <= bytes.count - 4 else { return true }
    // The names follow the tables directly; other bytes, taken as an offset, reach farther.
    let name = next + word(next)
    return name >= bytes.count - 64 && name <= bytes.count + Self.mostNames
  }

  // MARK: - Entries, each by the offset of its name word

  /// The symbol of the first entry that satisfies `isWanted`.
  func first(where isWanted: (Int) -> Bool) -> Symbol? {
    for run in runs {
      for place in stride(from: run.places.lowerBound, through: run.places.upperBound, by: run.stride)
      where isWanted(place) { return symbol(place) }
    }
    return nil
  }

  func isName(_ place: Int, _ wanted: [UInt8]) -> Bool {
    let name = place + word(place)
    guard name >= 0, name + wanted.count < bytes.count, bytes[name + wanted.count] == 0 else { return false }
    for offset in 0..<wanted.count where bytes[name + offset] != wanted[offset] { return false }
    return true
  }

  func address(_ place: Int) -> UInt64 { start &+ UInt64(bitPattern: Int64(place - 4 + word(place - 4))) }

  /// The hash of the name whose word is at `place`.
  func hash(_ place: Int) -> NameIndex.Hash {
    var hash = NameIndex.Hash()
    for letter in bytes[(place + word(place))...].prefix(Limits.symbolName) {
      guard letter != 0 else { break }
      hash.add(letter)
    }
    return hash
  }

  func symbol(_ place: Int) -> Symbol {
    let name = place + word(place)
    let end = bytes[name...].prefix(Limits.symbolName).firstIndex(of: 0) ?? name
    return Symbol(name: String(decoding: bytes[name..<end], as: UTF8.self), address: address(place), size: 1)
  }
}

extension KernelMemory {
  /// The bytes of `range` with zeros where they cannot be read; nil if it is too long, or most of it is unreadable: its
  /// length is only claimed.
  func bytes(in range: Range<UInt64>) -> [UInt8]? {
    let size = range.upperBound - range.lowerBound
    guard size <= ImageReach.largest else { return nil }
    let pages = readablePages(in: range)
    guard size - pages.reduce(0, { $0 + ($1.upperBound - $1.lowerBound) }) <= size / 2 else { return nil }
    var result = [UInt8](repeating: 0, count: Int(size))
    result.withMutableRawSpan { raw in
      for page in pages {
        _ = copy(
          page.lowerBound, count: Int(page.upperBound - page.lowerBound), into: &raw,
          at: Int(page.lowerBound - range.lowerBound))
      }
    }
    return result
  }

  /// The pages of `range` that are mapped and in the dump.
  private func readablePages(in range: Range<UInt64>) -> [Range<UInt64>] {
    let step = regime.granule.size
    var result: [Range<UInt64>] = []
    var here = range.lowerBound
    while here < range.upperBound {
      let next = min((here | (step - 1)) &+ 1, range.upperBound)
      if let leaf = leaf(at: here), memory.absence(at: leaf.physical) == nil { result.append(here..<next) }
      guard next > here else { break }
      here = next
    }
    return result
  }
}
