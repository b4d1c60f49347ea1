import Bytes

/// Finds the tables of kallsyms by what the kernel says, or by their structure.
///
/// In memory they stand one after another, each aligned to 8 bytes, or to 256 in 4.20 and before:
///
/// | versions | order |
/// | --- | --- |
/// | 4.6 to 6.3 | offsets, relative_base, num_syms, names, markers, (seqs_of_names,) token_table, token_index |
/// | 6.4 to 6.19 | num_syms, names, markers, token_table, token_index, offsets, relative_base, seqs_of_names |
/// | 7.0 | the same without relative_base |
///
/// (scripts/kallsyms.c, `write_src`)
public enum KallsymsFinder {
  /// The tables at addresses that VMCOREINFO gives (6.0, 5fd8fea935a1): it leaves out only the markers, which
  /// end where the token table begins, or where the sequence numbers do that stand between.
  public static func tables<Space: ByteSource>(
    in space: Space, symbol: (String) -> UInt64?
  ) -> [KallsymsTables] {
    guard let names = symbol("kallsyms_names"), let countAt = symbol("kallsyms_num_syms"),
      let table = symbol("kallsyms_token_table"), let index = symbol("kallsyms_token_index"),
      let count = space.integer(UInt32.self, at: countAt), count > 0, count <= UInt32(Limits.symbols)
    else { return [] }
    let addresses: KallsymsTables.Addresses
    // Behind the addresses stand the sequence numbers, where the addresses stand last.
    let end: UInt64
    if let offsets = symbol("kallsyms_offsets") {
      if let baseAt = symbol("kallsyms_relative_base") {
        guard let base = space.word(at: baseAt) else { return [] }
        addresses = .relative(offsets, base: base)
        end = baseAt &+ 8
      } else {
        addresses = .placeRelative(offsets)
        end = (offsets &+ UInt64(count) * 4 &+ 7) & ~7
      }
    } else if let list = symbol("kallsyms_addresses") {
      addresses = .absolute(list)
      end = list &+ UInt64(count) * 8
    } else {
      return []
    }
    let markersSize = UInt64((count + 255) / 256 * 4 + 7) & ~7
    let sequencesSize = (UInt64(count) * 3 + 7) & ~7
    return [(markersSize, end), (markersSize + sequencesSize, table &- sequencesSize)].map { distance, sequences in
      KallsymsTables(
        count: Int(count), names: names, markers: table &- distance, markerSize: 4, tokenTable: table,
        tokenIndex: index, addresses: addresses, sequences: sequences)
    }
  }

  /// The digits as tokens of one letter each, which is how nearly every token table has them.
  static let anchor: [UInt8] = (UInt8(ascii: "0")...UInt8(ascii: "9")).flatMap { [$0, 0] }

  /// Where the digits stand in `bytes`.
  public static func anchors(in bytes: [UInt8]) -> [Int] {
    var result: [Int] = []
    var position = 0
    while let zero = bytes[position...].firstIndex(of: anchor[0]) {
      if bytes.count - zero >= anchor.count, bytes[zero..<(zero + anchor.count)].elementsEqual(anchor) {
        result.append(zero)
      }
      position = zero + 1
    }
    return result
  }

  /// The tables around the digits of a token table at `anchor`, for kernels that do not say where they are.
  /// From the token table one goes back over the markers, the names and their number to the offsets.
  public static func tables<Space: ByteSource>(around anchor: UInt64, in space: Space) -> [KallsymsTables] {
    for alignment in [8, 256] as [UInt64] {
      guard let (table, index) = tokenTable(around: anchor, alignment, space) else { continue }
      for markerSize in [4, 8] {
        guard let markers = markers(before: table, markerSize, alignment, space) else { continue }
        let found = namesAndOffsets(before: markers, markerSize, alignment, space).map {
          KallsymsTables(
            count: $0.count, names: $0.names, markers: markers.start, markerSize: markerSize, tokenTable: table,
            tokenIndex: index, addresses: .relative($0.offsets, base: $0.base))
        }
        if !found.isEmpty { return found }
      }
    }
    return []
  }

  /// The token table that `anchor` lies in: 208 strings on stands its index, whose entry for the digit 0
  /// tells where the table begins.
  private static func tokenTable<Space: ByteSource>(
    around anchor: UInt64, _ alignment: UInt64, _ space: Space
  ) -> (table: UInt64, index: UInt64)? {
    let longest = 256 * 64
    guard let ahead = space.bytes(from: anchor, count: longest) else { return nil }
    var strings = 0
    guard
      let end = ahead.firstIndex(where: { byte in
        if byte == 0 { strings += 1 }
        return strings == 256 - 0x30
      })
    else { return nil }
    let index = (anchor + UInt64(end) + 1 + alignment - 1) & ~(alignment - 1)
    guard let raw = space.bytes(from: index, count: 512) else { return nil }
    let starts = (0..<256).map { UInt64(raw[$0 * 2]) | UInt64(raw[$0 * 2 + 1]) << 8 }
    guard starts[0] == 0, zip(starts, starts.dropFirst()).allSatisfy(<) else { return nil }
    let table = anchor &- starts[0x30]
    return table & (alignment - 1) == 0 ? (table, index) : nil
  }

  /// The markers that end at or before `table`: they fall, read backwards, to the 0 that is the first.
  private static func markers<Space: ByteSource>(
    before table: UInt64, _ size: Int, _ alignment: UInt64, _ space: Space
  ) -> (start: UInt64, last: UInt64, count: Int)? {
    let most = Limits.symbols / 256
    func marker(_ address: UInt64) -> UInt64? {
      size == 8 ? space.word(at: address) : space.integer(UInt32.self, at: address).map(UInt64.init)
    }
    // Zeros pad the table; the last marker is none, since there are more than 256 symbols.
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
      if value == 0 { return here & (alignment - 1) == 0 ? (here, last, count) : nil }
      above = value
    }
    return nil
  }

  /// The names that end before the markers, with the number of symbols, the base and the offsets before them.
  private static func namesAndOffsets<Space: ByteSource>(
    before markers: (start: UInt64, last: UInt64, count: Int), _ numberSize: Int, _ alignment: UInt64, _ space: Space
  ) -> [(names: UInt64, count: Int, base: UInt64, offsets: UInt64)] {
    var result: [(UInt64, Int, UInt64, UInt64)] = []
    let most = (markers.start &- markers.last) & ~(alignment - 1)
    // The last block has 1 to 256 names, of 40 tokens or so at most on the whole.
    for step in 0..<(UInt64(256 * 40) / alignment) {
      let names = most &- step * alignment
      let countAt = names &- alignment
      let count =
        numberSize == 8 ? space.word(at: countAt) : space.integer(UInt32.self, at: countAt).map(UInt64.init)
      guard let count, (count + 255) / 256 == UInt64(markers.count), count <= UInt64(Limits.symbols) else { continue }
      let baseAt = countAt &- alignment
      guard let base = space.word(at: baseAt), base >> 48 == 0xffff || base >> 36 == 0xfff_ffff else { continue }
      let offsets = (baseAt &- count * 4) & ~(alignment - 1)
      result.append((names, Int(count), base, offsets))
    }
    return result
  }
}
