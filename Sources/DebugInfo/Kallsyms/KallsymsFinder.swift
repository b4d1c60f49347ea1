import Bytes

/// Finds the kallsyms tables through VMCOREINFO, or by their structure.
///
/// In memory they are adjacent, all with the same alignment: 256 bytes up to 4.20, 8 up to 7.1, 4 since 7.2.
///
/// | versions | order |
/// | --- | --- |
/// | 4.6 to 6.3 | offsets, relative_base, num_syms, names, markers, (seqs_of_names,) token_table, token_index |
/// | 6.4 to 6.19 | num_syms, names, markers, token_table, token_index, offsets, relative_base, seqs_of_names |
/// | 7.0 | the same without relative_base |
///
/// The alignment shows between num_syms, a word of 4 bytes (8 up to 4.20), and names.
///
/// (scripts/kallsyms.c, `write_src`)
package enum KallsymsFinder {
  /// The tables at the addresses in VMCOREINFO (6.0, 5fd8fea935a1 "vmcoreinfo: include kallsyms symbols"). It lacks
  /// only the markers, which end where the token table begins, or the sequence numbers between them.
  package static func tables<Space: ByteSource>(
    in space: Space, symbol: (String) -> UInt64?
  ) -> [KallsymsTables] {
    guard let names = symbol("kallsyms_names"), let countAt = symbol("kallsyms_num_syms"),
      let table = symbol("kallsyms_token_table"), let index = symbol("kallsyms_token_index"),
      let count = space.integer(UInt32.self, at: countAt), count > 0, count <= UInt32(Limits.symbols),
      case let alignment = names &- countAt, alignment == 4 || alignment == 8
    else { return [] }
    func aligned(_ value: UInt64) -> UInt64 { (value &+ alignment &- 1) & ~(alignment &- 1) }
    let addresses: KallsymsTables.Addresses
    // If the addresses come last, the sequence numbers follow them.
    let end: UInt64
    if let offsets = symbol("kallsyms_offsets") {
      if let baseAt = symbol("kallsyms_relative_base") {
        guard let base = space.word(at: baseAt) else { return [] }
        addresses = .relative(offsets, base: base)
        end = baseAt &+ 8
      } else {
        addresses = .placeRelative(offsets)
        end = aligned(offsets &+ UInt64(count) * 4)
      }
    } else if let list = symbol("kallsyms_addresses") {
      addresses = .absolute(list)
      end = list &+ UInt64(count) * 8
    } else {
      return []
    }
    let markersSize = aligned(UInt64((count + 255) / 256 * 4))
    let sequencesSize = aligned(UInt64(count) * 3)
    return [(markersSize, end), (markersSize + sequencesSize, table &- sequencesSize)].map { distance, sequences in
      KallsymsTables(
        count: Int(count), names: names, markers: table &- distance, markerSize: 4, tokenTable: table,
        tokenIndex: index, addresses: addresses, sequences: sequences)
    }
  }

  /// The digits as tokens of one letter each, as nearly every token table has them.
  static let anchor: [UInt8] = (UInt8(ascii: "0")...UInt8(ascii: "9")).flatMap { [$0, 0] }

  /// The offsets of the digits in `bytes`.
  package static func anchors(in bytes: [UInt8]) -> [Int] { bytes.occurrences(of: anchor) }

  /// The tables around the digits of a token table at `anchor`, for kernels that do not say where they are. From the
  /// token table the search goes back over the markers and the names to their number, and to the offsets, which are at
  /// either end.
  package static func tables<Space: ByteSource>(around anchor: UInt64, in space: Space) -> [KallsymsTables] {
    for alignment in [8, 4, 256] as [UInt64] {
      guard let (table, index) = tokenTable(around: anchor, alignment, space) else { continue }
      for markerSize in [4, 8] {
        var found = markers(before: table, markerSize, alignment, space).map { [$0] } ?? []
        if markerSize == 4, alignment == 8 { found += markersBeforeSequences(before: table, space) }
        for markers in found {
          let all = names(before: markers, markerSize, alignment, space).flatMap { names, count in
            addresses(names, Int(count), behind: index + 512, alignment, space).map {
              KallsymsTables(
                count: Int(count), names: names, markers: markers.start, markerSize: markerSize, tokenTable: table,
                tokenIndex: index, addresses: $0)
            }
          }
          if !all.isEmpty { return all }
        }
      }
    }
    return []
  }

  /// The token table that `anchor` lies in: 208 strings later comes its index, whose entry for the digit 0 gives the
  /// start of the table.
  private static func tokenTable<Space: ByteSource>(
    around anchor: UInt64, _ alignment: UInt64, _ space: Space
  ) -> (table: UInt64, index: UInt64)? {
    let longest = 256 * 64
    guard let ahead = space.bytes(at: anchor, count: longest) else { return nil }
    var strings = 0
    guard
      let end = ahead.firstIndex(where: { byte in
        if byte == 0 { strings += 1 }
        return strings == 256 - 0x30
      })
    else { return nil }
    let index = (anchor &+ UInt64(end) &+ alignment) & ~(alignment - 1)
    guard let raw = space.bytes(at: index, count: 512) else { return nil }
    let starts = (0..<256).map { UInt64(raw[$0 * 2]) | UInt64(raw[$0 * 2 + 1]) << 8 }
    guard starts[0] == 0, zip(starts, starts.dropFirst()).allSatisfy(<) else { return nil }
    let table = anchor &- starts[0x30]
    return table & (alignment - 1) == 0 ? (table, index) : nil
  }

  /// The markers that end at or before `table`: read backwards, they descend to the first, which is 0.
  private static func markers<Space: ByteSource>(
    before table: UInt64, _ size: Int, _ alignment: UInt64, _ space: Space
  ) -> Markers? {
    let most = Limits.symbols / 256
    func marker(_ address: UInt64) -> UInt64? {
      size == 8 ? space.word(at: address) : space.integer(UInt32.self, at: address).map(UInt64.init)
    }
    // Zeros pad the table; the last marker is not zero, since there are more than 256 symbols.
    var here = table &- UInt64(size)
    var padding = 0
    while let value = marker(here), value == 0, padding < Int(alignment) / size + 1 {
      here &-= UInt64(size)
      padding += 1
    }
    guard let last = marker(here), last > 0 else { return nil }
    var above = last
    for count in 2..<most {
      here &-= UInt64(size)
      guard let value = marker(here), value < above, above - value <= UInt64(256 * Limits.symbolName) else {
        return nil
      }
      if value == 0 { return here & (alignment - 1) == 0 ? Markers(start: here, last: last, count: count) : nil }
      above = value
    }
    return nil
  }

  /// The markers before `kallsyms_seqs_of_names`, which end at `table`: three bytes for each symbol, so that their
  /// start determines the number of markers before them.
  private static func markersBeforeSequences<Space: ByteSource>(
    before table: UInt64, _ space: Space
  ) -> [Markers] {
    // Memory before the table is readable as far as the image extends.
    let sizes = (0...6).map { (32 << 20) >> $0 }
    guard let bytes = sizes.lazy.compactMap({ space.bytes(at: table &- UInt64($0), count: $0) }).first else {
      return []
    }
    let start = table &- UInt64(bytes.count)
    func marker(_ at: Int) -> Int? {
      guard at >= 0, at <= bytes.count - 4 else { return nil }
      return Int(bytes[at]) | Int(bytes[at + 1]) << 8 | Int(bytes[at + 2]) << 16 | Int(bytes[at + 3]) << 24
    }
    var result: [Markers] = []
    // More than one block of 256 symbols.
    for end in stride(from: bytes.count - 768, through: 16, by: -8) {
      let count = (bytes.count - end) / 3
      guard count <= Limits.symbols else { break }
      let blocks = (count + 255) / 256
      let first = end - (blocks * 4 + 7) & ~7
      guard marker(first) == 0, let second = marker(first + 4), second >= 512, second <= 256 * Limits.symbolName else {
        continue
      }
      let values = (0..<blocks).map { marker(first + $0 * 4) ?? 0 }
      guard zip(values, values.dropFirst()).allSatisfy(<), let last = values.last else { continue }
      result.append(Markers(start: start + UInt64(first), last: UInt64(last), count: blocks))
    }
    return result
  }

  /// The markers: their start, the last one, and their number.
  private struct Markers {
    var start: UInt64
    var last: UInt64
    var count: Int
  }

  /// The names that end before the markers, and the number of symbols, which precedes the names.
  private static func names<Space: ByteSource>(
    before markers: Markers, _ numberSize: Int, _ alignment: UInt64, _ space: Space
  ) -> [(names: UInt64, count: UInt64)] {
    var result: [(UInt64, UInt64)] = []
    let most = (markers.start &- markers.last) & ~(alignment - 1)
    // The last block has 1 to 256 names, of 40 tokens or so at most on the whole.
    for step in 0..<(UInt64(256 * 40) / alignment) {
      let names = most &- step * alignment
      let countAt = names &- alignment
      let count =
        numberSize == 8 ? space.word(at: countAt) : space.integer(UInt32.self, at: countAt).map(UInt64.init)
      guard let count, count > 0, count <= UInt64(Limits.symbols), (count + 255) / 256 == UInt64(markers.count) else {
        continue
      }
      result.append((names, count))
    }
    return result
  }

  /// How the addresses of `count` symbols are stored: as offsets after the token index, with or without a base after
  /// them, or before the number of symbols, which precedes `names`. Symbols are in address order.
  private static func addresses<Space: ByteSource>(
    _ names: UInt64, _ count: Int, behind end: UInt64, _ alignment: UInt64, _ space: Space
  ) -> [KallsymsTables.Addresses] {
    func aligned(_ address: UInt64) -> UInt64 { (address &+ alignment &- 1) & ~(alignment &- 1) }
    func base(_ address: UInt64) -> UInt64? {
      space.word(at: address).flatMap { $0 >> 48 == 0xffff || $0 >> 36 == 0xfff_ffff ? $0 : nil }
    }
    let size = UInt64(count) * 4
    var candidates: [KallsymsTables.Addresses] = []
    let behind = aligned(end)
    if let base = base(aligned(behind &+ size)) { candidates.append(.relative(behind, base: base)) }
    candidates.append(.placeRelative(behind))
    let baseAt = names &- 2 * alignment
    if let base = base(baseAt) { candidates.append(.relative((baseAt &- size) & ~(alignment - 1), base: base)) }
    return candidates.filter { isSorted($0, count, space) }
  }

  /// Whether the addresses of all symbols ascend and are plausible.
  private static func isSorted<Space: ByteSource>(
    _ addresses: KallsymsTables.Addresses, _ count: Int, _ space: Space
  ) -> Bool {
    guard let bytes = space.bytes(at: addresses.table, count: count * 4) else { return false }
    var first: Int64?
    var last = Int64.min
    for number in 0..<count {
      let at = number * 4
      let word =
        UInt32(bytes[at]) | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2]) << 16 | UInt32(bytes[at + 3]) << 24
      let value: Int64
      if case .placeRelative = addresses {
        value = Int64(at) + Int64(Int32(bitPattern: word))
      } else {
        value = Int64(word)
      }
      guard value >= last else { return false }
      first = first ?? value
      last = value
    }
    // Place-relative offsets are negative, since the text precedes the read-only data.
    if case .placeRelative = addresses { return (first ?? 0) < 0 }
    return first != last
  }
}
