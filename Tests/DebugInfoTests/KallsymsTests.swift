import Bytes
import DebugInfo
import TestSupport
import Testing

/// Bytes at an address.
private struct MemorySpace: ByteSource {
  let path = "memory"
  let start: UInt64
  var bytes: [UInt8]
  var byteCount: UInt64 { .max }

  func word(at offset: UInt64) -> UInt64? {
    withBytes(offset..<(offset &+ 8)) { $0.integer(UInt64.self, at: 0) } ?? nil
  }

  func copy(_ offset: UInt64, count: Int, into buffer: inout MutableRawSpan, at position: Int) -> Bool {
    guard offset >= start, offset - start + UInt64(count) <= UInt64(bytes.count) else { return false }
    let from = Int(offset - start)
    buffer.withUnsafeMutableBytes { target in
      for index in 0..<count { target[position + index] = bytes[from + index] }
    }
    return true
  }

  func withBytes<R>(_ range: Range<UInt64>, _ body: (RawSpan) -> R) -> R? {
    guard range.lowerBound >= start, range.upperBound <= start + UInt64(bytes.count) else { return nil }
    let slice = Array(bytes[Int(range.lowerBound - start)..<Int(range.upperBound - start)])
    return body(slice.span.bytes)
  }
}

/// kallsyms as each version writes it, by a writer that shares nothing with the reader.
struct KallsymsTests {
  private static let start: UInt64 = 0xffff_8000_0900_0000

  /// Enough symbols for several markers, some at one address, one with a name of 200 letters.
  private static func symbols(
    longName: Bool, more: Int = 0
  ) -> [(type: Character, name: String, address: UInt64)] {
    var result: [(Character, String, UInt64)] = [("T", "_stext", 0xffff_8000_0801_0000)]
    var address: UInt64 = 0xffff_8000_0801_0000
    for number in 0..<(1100 + more) {
      address += UInt64(16 + number % 7 * 4) * (number % 50 == 0 ? 0 : 1)
      result.append((["t", "T", "d", "r"][number % 4], "interrupt_state_\(number)_handler", address))
    }
    if longName { result.append(("t", "x" + String(repeating: "yz", count: 100), address + 64)) }
    result.append(("B", "_end", address + 4096))
    return result
  }

  private func check(
    _ table: Kallsyms<MemorySpace>, _ symbols: [(type: Character, name: String, address: UInt64)]
  ) {
    #expect(table.count == symbols.count)
    for symbol in symbols {
      let byName = table.symbol(named: symbol.name)
      #expect(byName?.address == symbol.address, "\(symbol.name)")
      #expect(byName?.type == symbol.type.asciiValue, "\(symbol.name)")
      // Of several at one address the first is the answer.
      let first = symbols.first { $0.address == symbol.address }
      #expect(table.symbol(containing: symbol.address)?.name == first?.name)
    }
    for name in ["_stex", "_stextt", "", "interrupt_state_", "tinterrupt_state_1_handler"] {
      #expect(table.symbol(named: name) == nil, "\(name)")
    }
    #expect(table.symbol(containing: symbols[0].address - 1) == nil)
    #expect(table.symbol(containing: symbols[1].address + 5)?.address == symbols[1].address)
    var listed: [String] = []
    table.forEachSymbol {
      listed.append($0.name)
      return true
    }
    #expect(listed == symbols.map(\.name))
    let found = table.addresses(of: ["_end", "nothing", "_stext"])
    #expect(found[0] == symbols[symbols.count - 1].address && found[1] == nil && found[2] == symbols[0].address)
  }

  @Test("Through VMCOREINFO's lines", arguments: [KallsymsWriter.Shape.v5, .v61, .v64, .v7])
  func told(_ shape: KallsymsWriter.Shape) throws {
    let symbols = Self.symbols(longName: shape != .v5)
    let writer = KallsymsWriter(symbols, shape, at: Self.start)
    let space = MemorySpace(start: Self.start, bytes: writer.bytes)
    // The kernel tells neither the markers nor the sequence numbers.
    let told = writer.labels.filter { $0.key != "kallsyms_markers" && $0.key != "kallsyms_seqs_of_names" }
    let tables = KallsymsFinder.tables(in: space) { told[$0] }.compactMap { Kallsyms($0, in: space) }
    check(try #require(tables.first), symbols)
  }

  /// Numbers of symbols, and with them of blocks of names, that are odd, or make an odd number of words.
  static let counts = [0, 1, 2, 3, 256, 257, 513]

  @Test("By what VMCOREINFO tells, where tables are aligned to 4", arguments: counts)
  func toldAtFour(_ more: Int) throws {
    let symbols = Self.symbols(longName: true, more: more)
    let writer = KallsymsWriter(symbols, .v72, at: Self.start)
    let space = MemorySpace(start: Self.start, bytes: writer.bytes)
    let told = writer.labels.filter { $0.key != "kallsyms_markers" && $0.key != "kallsyms_seqs_of_names" }
    let tables = KallsymsFinder.tables(in: space) { told[$0] }
    #expect(tables.contains { $0.sequences == writer.labels["kallsyms_seqs_of_names"] })
    check(try #require(tables.compactMap { Kallsyms($0, in: space) }.first), symbols)
  }

  @Test("By structure, where tables are aligned to 4", arguments: counts)
  func foundAtFour(_ more: Int) throws { try checkFound(.v72, more: more) }

  @Test("By structure, for kernels that do not tell", arguments: [KallsymsWriter.Shape.v419, .v5, .v64, .v7])
  func found(_ shape: KallsymsWriter.Shape) throws { try checkFound(shape) }

  private func checkFound(_ shape: KallsymsWriter.Shape, more: Int = 0) throws {
    let symbols = Self.symbols(longName: false, more: more)
    let writer = KallsymsWriter(symbols, shape, at: Self.start)
    let space = MemorySpace(start: Self.start, bytes: writer.bytes)
    let anchors = KallsymsFinder.anchors(in: writer.bytes)
    let tables = anchors.flatMap { KallsymsFinder.tables(around: Self.start + UInt64($0), in: space) }
    // Where several fit, the kernel's own `_stext` decides.
    let right = tables.lazy.compactMap { Kallsyms($0, in: space) }.first {
      $0.symbol(named: "_stext")?.address == symbols[0].address
    }
    check(try #require(right), symbols)
  }

  @Test("Names are found where their order is wrong, or not that of all their letters", arguments: [0, 1])
  func order(_ kind: Int) throws {
    // A kernel built with LTO orders `a.llvm.1` as it does `a`, which may put it before or behind `a`'s equals.
    var symbols = Self.symbols(longName: true)
    symbols.insert(("t", "interrupt.llvm.77", symbols[5].address), at: 6)
    symbols.insert(("t", "interrupt", symbols[900].address), at: 901)
    let writer = KallsymsWriter(symbols, .v61, at: Self.start)
    var bytes = writer.bytes
    let place = Int(try #require(writer.labels["kallsyms_seqs_of_names"]) - Self.start)
    if kind == 0 {
      // Numbers in the order of addresses: no order of names.
      for number in symbols.indices {
        bytes.replaceSubrange(
          (place + number * 3)..<(place + number * 3 + 3),
          with: [UInt8(number >> 16), UInt8(number >> 8 & 255), UInt8(number & 255)])
      }
    } else {
      let number = { (at: Int) in Int(bytes[at]) << 16 | Int(bytes[at + 1]) << 8 | Int(bytes[at + 2]) }
      let places = symbols.indices.map { place + $0 * 3 }
      let plain = try #require(places.first { symbols[number($0)].name == "interrupt" })
      let suffixed = try #require(places.first { symbols[number($0)].name == "interrupt.llvm.77" })
      for index in 0..<3 { bytes.swapAt(plain + index, suffixed + index) }
    }
    let space = MemorySpace(start: Self.start, bytes: bytes)
    let told = writer.labels.filter { $0.key != "kallsyms_markers" && $0.key != "kallsyms_seqs_of_names" }
    let tables = KallsymsFinder.tables(in: space) { told[$0] }.compactMap { Kallsyms($0, in: space) }
    check(try #require(tables.first), symbols)
  }

  @Test("Damaged tables end, whatever they say")
  func damaged() {
    let symbols = Self.symbols(longName: true)
    let writer = KallsymsWriter(symbols, .v64, at: Self.start)
    var generator = SeededGenerator(seed: 11)
    for _ in 0..<200 {
      var bytes = writer.bytes
      for _ in 0..<20 {
        bytes[Int(generator.next() % UInt64(bytes.count - 65536))] = UInt8(truncatingIfNeeded: generator.next())
      }
      let space = MemorySpace(start: Self.start, bytes: bytes)
      for tables in KallsymsFinder.tables(in: space, symbol: { writer.labels[$0] }) {
        guard let table = Kallsyms(tables, in: space) else { continue }
        _ = table.symbol(named: "_end")
        _ = table.symbol(containing: symbols[700].address)
        table.forEachSymbol { _ in true }
      }
      for anchor in KallsymsFinder.anchors(in: bytes) {
        _ = KallsymsFinder.tables(around: Self.start + UInt64(anchor), in: space)
      }
    }
  }

  /// What may be written over a page.
  private static func damages(_ generator: inout SeededGenerator) -> [[UInt8]] {
    [generator.bytes(4096), .init(repeating: 0xff, count: 4096), .zeros(4096), .init(repeating: 7, count: 4096)]
      + [Array(repeating: Array("for more, see the manual. ".utf8), count: 158).joined().prefix(4096).map { $0 }]
  }

  @Test(
    "Where a page is overwritten, a name is found at its own address or not at all",
    arguments: [
      KallsymsWriter.Shape.v5, .v61, .v64, .v7,
    ])
  func overwritten(_ shape: KallsymsWriter.Shape) throws {
    var symbols = Self.symbols(longName: false)
    symbols += (0..<2000).map { ("t", "thread_\($0)_do", symbols[symbols.count - 1].address + UInt64($0) * 24 + 8) }
    let writer = KallsymsWriter(symbols, shape, at: Self.start)
    let truth = Dictionary(symbols.map { ($0.name, $0.address) }, uniquingKeysWith: { first, _ in first })
    var generator = SeededGenerator(seed: 3)
    var found = 0
    for page in 0..<(writer.bytes.count - 65536) / 4096 {
      for (kind, damage) in Self.damages(&generator).enumerated() where shape == .v64 || kind == page % 5 {
        var bytes = writer.bytes
        bytes.replaceSubrange((page * 4096)..<(page * 4096 + 4096), with: damage)
        let space = MemorySpace(start: Self.start, bytes: bytes)
        let told = KallsymsFinder.tables(in: space) { writer.labels[$0] }
        // The kernel says besides where `_stext` is, which tells what all addresses are relative to.
        guard let table = told.lazy.compactMap({ Kallsyms($0, in: space) }).first,
          table.has("_stext", at: symbols[0].address)
        else { continue }
        var listed = 0
        table.forEachSymbol { symbol in
          listed += 1
          #expect(truth[symbol.name] == symbol.address, "page \(page), \(kind): \(symbol.name)")
          return true
        }
        // What stands behind the tables may be damaged without harm, and so may the order of names.
        #expect((listed == symbols.count) == (table.damage == nil), "page \(page)")
        for number in stride(from: 0, to: symbols.count, by: 211) {
          let symbol = symbols[number]
          if let answer = table.symbol(named: symbol.name) { #expect(answer.address == symbol.address, "page \(page)") }
          if let answer = table.symbol(containing: symbol.address + 4) {
            #expect(truth[answer.name] == answer.address, "page \(page)")
            #expect(answer.address == symbols[number].address, "page \(page): \(symbol.name)")
            found += 1
          }
        }
        for (place, address) in table.addresses(of: ["_stext", "thread_1_do", "_end"]) {
          #expect(address == truth[["_stext", "thread_1_do", "_end"][place]], "page \(page)")
        }
      }
    }
    #expect(found > 10)
  }

  @Test func manySymbolsAtOneAddressAreListedInOnePass() throws {
    let address: UInt64 = 0xffff_8000_0801_0000
    var symbols: [(type: Character, name: String, address: UInt64)] = (0..<200_000).map {
      ("t", "a\($0 % 7)", address + UInt64($0 / 400) * 16)
    }
    symbols.append(("T", "last", address + 500 * 16))
    let writer = KallsymsWriter(symbols, .v64, at: Self.start)
    let space = MemorySpace(start: Self.start, bytes: writer.bytes)
    let found = KallsymsFinder.tables(in: space) { name in writer.labels[name] }
    let table = try #require(found.lazy.compactMap { Kallsyms($0, in: space) }.first)
    var count = 0
    table.forEachSymbol { symbol in
      count += 1
      if symbol.name != "last" { #expect(symbol.size == 16) }
      return true
    }
    #expect(count == symbols.count)
  }

  @Test func aNumberOfSymbolsThatCannotBeIsNotCountedWith() {
    let writer = KallsymsWriter(Self.symbols(longName: false), .v419, at: Self.start)
    let place = Int((writer.labels["kallsyms_num_syms"] ?? 0) - Self.start)
    var bytes = writer.bytes
    bytes.replaceSubrange(place..<(place + 8), with: [UInt8](repeating: 0xff, count: 8))
    let space = MemorySpace(start: Self.start, bytes: bytes)
    for anchor in KallsymsFinder.anchors(in: bytes) {
      #expect(KallsymsFinder.tables(around: Self.start + UInt64(anchor), in: space).isEmpty)
    }
  }
}
