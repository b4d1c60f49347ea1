/// Writes the tables of kallsyms as scripts/kallsyms.c of some kernel versions lays them out.
public struct KallsymsWriter {
  /// How a span of versions lays them out.
  public enum Shape: CaseIterable, Sendable {
    /// 4.19: labels at multiples of 256, 64-bit number and markers.
    case v419
    /// 5.0 to 6.0.
    case v5
    /// 6.1.y to 6.3: sequence numbers between the markers and the tokens.
    case v61
    /// 6.4 to 6.19: the offsets and the sequence numbers last.
    case v64
    /// 7.0: offsets from where each stands.
    case v7
    /// 7.2: labels at multiples of 4.
    case v72

    /// Whether addresses are relative to their own place.
    var isPlaceRelative: Bool { self == .v7 || self == .v72 }
  }

  /// The bytes.
  public private(set) var bytes: [UInt8] = []
  /// Where each label is.
  public private(set) var labels: [String: UInt64] = [:]
  private let start: UInt64
  private let alignment: Int

  /// Writes `symbols`, which are in the order of their addresses, from `start` on.
  public init(_ symbols: [(type: Character, name: String, address: UInt64)], _ shape: Shape, at start: UInt64) {
    self.start = start
    alignment = shape == .v419 ? 256 : shape == .v72 ? 4 : 8
    let isWide = shape == .v419
    let base = symbols[0].address & ~0xffff
    // The printable characters stand for themselves; some pairs that are frequent have a token of their own.
    var tokens = (0..<256).map { (0x20..<0x7f).contains($0) ? String(UnicodeScalar(UInt8($0))) : "" }
    let pairs = ["__", "in", "er", "_i", "re", "on", "st", "_s", "le", "at", "te", "co", "de", "se", "al", "ro", "pe"]
    let unused = (0..<256).filter { tokens[$0].isEmpty }
    for (place, pair) in zip(unused, pairs) { tokens[place] = pair }
    for place in unused.dropFirst(pairs.count) { tokens[place] = "zq\(place)" }

    var names: [UInt8] = []
    var markers: [UInt64] = []
    for (number, symbol) in symbols.enumerated() {
      if number % 256 == 0 { markers.append(UInt64(names.count)) }
      var packed: [UInt8] = []
      var rest = Substring(String(symbol.type) + symbol.name)
      while !rest.isEmpty {
        if let place = zip(unused, pairs).first(where: { rest.hasPrefix($0.1) }) {
          packed.append(UInt8(place.0))
          rest = rest.dropFirst(place.1.count)
        } else {
          packed.append(rest.removeFirst().asciiValue ?? 0x3f)
        }
      }
      if packed.count < 128 {
        names.append(UInt8(packed.count))
      } else {
        names += [UInt8(packed.count & 0x7f | 0x80), UInt8(packed.count >> 7)]
      }
      names += packed
    }

    func addresses(_ self: inout KallsymsWriter) {
      self.label("kallsyms_offsets")
      let table = self.start + UInt64(self.bytes.count)
      for (number, symbol) in symbols.enumerated() {
        let origin = shape.isPlaceRelative ? table + UInt64(number * 4) : base
        self.number(symbol.address &- origin, 4)
      }
      if !shape.isPlaceRelative {
        self.label("kallsyms_relative_base")
        self.number(base, 8)
      }
    }
    if shape != .v64, !shape.isPlaceRelative { addresses(&self) }
    label("kallsyms_num_syms")
    number(UInt64(symbols.count), isWide ? 8 : 4)
    label("kallsyms_names")
    bytes += names
    label("kallsyms_markers")
    for marker in markers { number(marker, isWide ? 8 : 4) }
    func sequences(_ self: inout KallsymsWriter) {
      self.label("kallsyms_seqs_of_names")
      let order = symbols.indices.sorted {
        symbols[$0].name == symbols[$1].name
          ? $0 < $1 : symbols[$0].name.utf8.lexicographicallyPrecedes(symbols[$1].name.utf8)
      }
      for place in order {
        self.bytes += [UInt8(place >> 16), UInt8(place >> 8 & 0xff), UInt8(place & 0xff)]
      }
    }
    if shape == .v61 { sequences(&self) }
    label("kallsyms_token_table")
    var index: [Int] = []
    let table = bytes.count
    for token in tokens {
      index.append(bytes.count - table)
      bytes += Array(token.utf8) + [0]
    }
    label("kallsyms_token_index")
    for place in index { number(UInt64(place), 2) }
    if shape == .v64 || shape.isPlaceRelative {
      addresses(&self)
      sequences(&self)
    }
    bytes += [UInt8](repeating: 0, count: 65536)
  }

  private mutating func label(_ name: String) {
    while bytes.count % alignment != 0 { bytes.append(0) }
    labels[name] = start + UInt64(bytes.count)
  }

  private mutating func number(_ value: UInt64, _ size: Int) {
    for place in 0..<size { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(place * 8))) }
  }
}
