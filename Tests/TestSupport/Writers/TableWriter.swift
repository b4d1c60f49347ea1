/// Writes arm64 translation tables, word by word, as a kernel would have left them in memory.
///
/// It knows nothing of the walker and shares no formula with it: each table level is a pair of bit numbers
/// and each address bit is put into its descriptor bit one at a time, as Arm's manual draws them.
/// (Arm ARM D8.2.7 to D8.2.9 and D8.3.1.)
public struct TableWriter: Sendable {
  /// The page sizes.
  public enum Granule: Int, CaseIterable, Sendable {
    case k4 = 4
    case k16 = 16
    case k64 = 64

    /// Bytes of a page and of a full table.
    public var bytes: UInt64 {
      switch self {
      case .k4: 0x1000
      case .k16: 0x4000
      case .k64: 0x10000
      }
    }

    /// The highest and lowest address bit that a full table of each level resolves.
    public var fields: [Int: (high: Int, low: Int)] {
      switch self {
      case .k4: [-1: (51, 48), 0: (47, 39), 1: (38, 30), 2: (29, 21), 3: (20, 12)]
      case .k16: [0: (51, 47), 1: (46, 36), 2: (35, 25), 3: (24, 14)]
      case .k64: [1: (51, 42), 2: (41, 29), 3: (28, 16)]
      }
    }
  }

  /// Where descriptors keep the address.
  public enum Encoding: CaseIterable, Sendable {
    /// Bits 47 down to the page size, in place.
    case bits48
    /// 64 KiB pages: bits 51:48 of the address in bits 15:12.
    case lpa
    /// 4 and 16 KiB pages: bits 51:50 of the address in bits 9:8.
    case lpa2

    /// The address bits that stand elsewhere in the descriptor.
    var moved: [Int: Int] {
      switch self {
      case .bits48: [:]
      case .lpa: [48: 12, 49: 13, 50: 14, 51: 15]
      case .lpa2: [50: 8, 51: 9]
      }
    }

    /// The highest address bit that it can hold.
    public var highestBit: Int { self == .bits48 ? 47 : 51 }
  }

  /// An entry that was written.
  public struct Entry: Hashable, Sendable {
    /// The level of its table.
    public var level: Int
    /// Its index in the table.
    public var index: Int
    /// Its physical address.
    public var address: UInt64
    /// Its value.
    public var value: UInt64

    /// Puts an entry together.
    public init(level: Int, index: Int, address: UInt64, value: UInt64) {
      self.level = level
      self.index = index
      self.address = address
      self.value = value
    }
  }

  /// The page size.
  public let granule: Granule
  /// Where descriptors keep the address.
  public let encoding: Encoding
  /// The width that the tables are shaped for.
  public let vaBits: Int
  /// The physical address of the root table.
  public let root: UInt64
  /// All that was written: 64-bit words by physical address. A test may spoil them.
  public var words: [UInt64: UInt64] = [:]
  /// Each table's first address and its bytes; words of a table that are not in `words` are zero.
  public private(set) var tables: [UInt64: UInt64] = [:]
  /// The table that each table entry leads to.
  private var children: [UInt64: UInt64] = [:]
  private var nextTable: UInt64

  /// Makes an empty root table at `root`; the other tables follow from `firstTable` on.
  public init(
    _ granule: Granule, _ encoding: Encoding, vaBits: Int, root: UInt64 = 0x4a5_0000,
    firstTable: UInt64 = 0x4b3_0000
  ) {
    self.granule = granule
    self.encoding = encoding
    self.vaBits = vaBits
    self.root = root
    nextTable = firstTable
    tables[root] = UInt64(rootEntries * 8)
  }

  /// The level whose bits hold the highest bit of the address.
  public var rootLevel: Int {
    for (level, field) in granule.fields where field.low < vaBits && vaBits <= field.high + 1 { return level }
    preconditionFailure("no table of this granule resolves bit \(vaBits - 1)")
  }

  /// Entries of the root table.
  public var rootEntries: Int {
    var entries = 1
    for _ in field(rootLevel).low..<vaBits { entries *= 2 }
    return entries
  }

  /// Maps the page or block around `va` at `level` to `pa`, with the tables above it.
  ///
  /// - Parameters:
  ///   - pa: where the mapping begins.
  ///   - level: of the leaf: 3 for a page, less for a block.
  ///   - attributes: descriptor bits of the leaf, besides the address and bits 1:0.
  ///   - tableAttributes: descriptor bits of the table entries, by the level they stand in.
  ///   - places: where to put the tables of a level, where it matters.
  /// - Returns: the entries from the root down to the leaf.
  @discardableResult
  public mutating func map(
    _ va: UInt64, to pa: UInt64, level: Int = 3, attributes: UInt64 = 0,
    tableAttributes: [Int: UInt64] = [:], places: [Int: UInt64] = [:]
  ) -> [Entry] {
    var path: [Entry] = []
    var table = root
    for upper in rootLevel..<level {
      let entry = place(va, level: upper, table: table)
      // A table that is there already keeps its attributes.
      let old = children[entry.address]
      let next = old ?? places[upper + 1] ?? allocate()
      children[entry.address] = next
      tables[next] = granule.bytes
      let kept = old == nil ? 0 : words[entry.address] ?? 0
      let value = kept | address(next) | 0b11 | (tableAttributes[upper] ?? 0)
      words[entry.address] = value
      path.append(Entry(level: upper, index: entry.index, address: entry.address, value: value))
      table = next
    }
    let leaf = place(va, level: level, table: table)
    let value = address(pa) | (level == 3 ? 0b11 : 0b01) | attributes
    words[leaf.address] = value
    path.append(Entry(level: level, index: leaf.index, address: leaf.address, value: value))
    return path
  }

  /// The bits of a descriptor that hold `pa`, put there one by one.
  public func address(_ pa: UInt64) -> UInt64 {
    var descriptor: UInt64 = 0
    for bit in 0..<64 where pa & (1 << UInt64(bit)) != 0 {
      precondition(bit <= encoding.highestBit, "an address of this encoding has no bit \(bit)")
      descriptor |= 1 << UInt64(encoding.moved[bit] ?? bit)
    }
    return descriptor
  }

  /// What was written as pages of 4 KiB, in order: what a dump is made of.
  public var pages: [(address: UInt64, bytes: [UInt8])] {
    var pages: [UInt64: [UInt8]] = [:]
    for (table, size) in tables {
      for page in stride(from: table / 4096 * 4096, to: table + size, by: 4096) {
        pages[page] = [UInt8](repeating: 0, count: 4096)
      }
    }
    for (address, word) in words {
      for byte in 0..<8 {
        let place = address + UInt64(byte)
        pages[place / 4096 * 4096, default: [UInt8](repeating: 0, count: 4096)][Int(place % 4096)] =
          UInt8(truncatingIfNeeded: word >> UInt64(8 * byte))
      }
    }
    return pages.sorted { $0.key < $1.key }.map { (address: $0.key, bytes: $0.value) }
  }

  private func field(_ level: Int) -> (high: Int, low: Int) {
    guard let field = granule.fields[level] else { preconditionFailure("no level \(level)") }
    return field
  }

  /// The index and the address of the entry for `va` in the table of `level` at `table`.
  private func place(_ va: UInt64, level: Int, table: UInt64) -> (index: Int, address: UInt64) {
    let (high, low) = field(level)
    var index = 0
    for bit in low...min(high, vaBits - 1) where va & (1 << UInt64(bit)) != 0 { index += 1 << (bit - low) }
    return (index, table + 8 * UInt64(index))
  }

  private mutating func allocate() -> UInt64 {
    while tables[nextTable] != nil { nextTable += granule.bytes }
    defer { nextTable += granule.bytes }
    return nextTable
  }
}
