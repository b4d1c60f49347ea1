import Synchronization
import TestSupport
import Testing
import VMSA

/// One pass over the tables against the walk of single addresses, which is tested by itself.
@Suite struct TableSweepTests {
  /// Keeps everything that a sweep shows, address range by address range.
  struct Everything: SweepObserver {
    enum Kind: Hashable {
      case leaf(PhysicalAddress, Attributes, level: Int)
      case unmapped(level: Int)
      case corrupt(level: Int)
      case missing(level: Int, Absence)
    }
    var ranges: [(first: UInt64, last: UInt64, kind: Kind)] = []
    var tables: [SweptTable] = []

    mutating func enter(_ table: SweptTable) -> Bool {
      tables.append(table)
      return true
    }
    mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
      add(
        entry.virtual, entry.shift, 1,
        .leaf(physical, Attributes(entry.descriptor, tables: entry.tables), level: entry.level))
    }
    mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {
      ranges.append(
        (
          entry.virtual.rawValue, last,
          .leaf(physical, Attributes(entry.descriptor, tables: entry.tables), level: entry.level)
        ))
    }
    mutating func empty(_ virtual: VirtualAddress, level: Int, shift: Int, count: Int) {
      add(virtual, shift, count, .unmapped(level: level))
    }
    mutating func invalid(_ entry: SweptEntry) { add(entry.virtual, entry.shift, 1, .unmapped(level: entry.level)) }
    mutating func corrupt(_ entry: SweptEntry, _ what: WalkResult.Corruption) {
      add(entry.virtual, entry.shift, 1, .corrupt(level: entry.level))
    }
    mutating func missing(_ table: SweptTable, _ virtual: VirtualAddress, count: Int, _ fault: MemoryFault) {
      add(virtual, table.shift, count, .missing(level: table.level, fault.absence))
    }
    private mutating func add(_ virtual: VirtualAddress, _ shift: Int, _ count: Int, _ kind: Kind) {
      ranges.append((virtual.rawValue, virtual.rawValue &+ UInt64(count) << UInt64(shift) &- 1, kind))
    }

    /// What it says of `address`.
    func kind(of address: UInt64) -> Kind? {
      var low = 0
      var high = ranges.count
      while low < high {
        let middle = (low + high) / 2
        if ranges[middle].last < address { low = middle + 1 } else { high = middle }
      }
      return low < ranges.count && ranges[low].first <= address ? ranges[low].kind : nil
    }
  }

  /// Counts how often each table is read.
  final class Counting: PhysicalMemory {
    let memory: TableMemory
    let reads = Mutex<[UInt64: Int]>([:])
    init(_ memory: TableMemory) { self.memory = memory }
    var ranges: [Range<PhysicalAddress>] { memory.ranges }
    func absence(at address: PhysicalAddress) -> Absence? { memory.absence(at: address) }
    func word(at address: PhysicalAddress) throws(MemoryFault) -> UInt64 { try memory.word(at: address) }
    func scan(_ body: @Sendable (PhysicalAddress, RawSpan) -> Bool) { memory.scan(body) }
    func read(_ address: PhysicalAddress, into buffer: inout MutableRawSpan) throws(MemoryFault) {
      reads.withLock { $0[address.rawValue, default: 0] += 1 }
      try memory.read(address, into: &buffer)
    }
  }

  /// Tables of every kind of entry at random places of each level.
  static func written(_ shape: Shape, _ random: inout SplitMix) -> (writer: TableWriter, addresses: [UInt64]) {
    var writer = shape.writer()
    var addresses: [UInt64] = []
    let top: UInt64 = ~0 << UInt64(shape.vaBits)
    for number in 0..<60 {
      // Near one another, so that tables are shared.
      let near = shape.address & (~0 << UInt64(number % 3 == 0 ? shape.vaBits - 1 : shape.lowBit(3) + 14))
      let address = (near ^ random.next() >> UInt64(number % 3 == 0 ? 64 - shape.vaBits : 35)) | top
      let level = number % 4 == 0 ? shape.leaves[number / 4 % shape.leaves.count] : 3
      // A place that has a block or a table already stays as it is.
      guard let leaf = shape.walk(writer, at: address), leaf.level <= level else { continue }
      let size = UInt64(1) << UInt64(shape.lowBit(level))
      let physical = random.next() >> 24 & ~(size - 1) & 0xffff_ffff_0000
      // Each table takes some rights away from what is below it.
      let restrictions = Dictionary(uniqueKeysWithValues: shape.tables.map { ($0, random.next() & 0xf << 59) })
      let path = writer.map(
        address, to: physical, level: level, attributes: 0x0060_0000_0000_0400 | random.next() & 0x8c,
        tableAttributes: restrictions)
      let entry = path[path.count - 1]
      switch number % 10 {
      case 7: writer.words[entry.address] = entry.value & ~1
      case 8 where level == 3: writer.words[entry.address] = entry.value & ~2
      default: break
      }
      addresses += [address & ~(size - 1), address, address | (size - 1), (address | (size - 1)) &+ 1 | top]
    }
    return (writer, addresses)
  }

  static func kind(_ result: WalkResult, _ address: UInt64) -> Everything.Kind? {
    switch result {
    case .mapped(let leaf):
      let offset = address & (leaf.size - 1)
      return .leaf(PhysicalAddress(leaf.physical.rawValue - offset), leaf.attributes, level: leaf.level)
    case .unmapped(let level): return .unmapped(level: level)
    case .corrupt(let level, _): return .corrupt(level: level)
    case .tableMissing(let level, let fault): return .missing(level: level, fault.absence)
    case .notCanonical: return nil
    }
  }

  @Test("It says of every address what the walk says", arguments: Shape.all)
  func equalsTheWalk(_ shape: Shape) throws {
    var random = SplitMix(seed: 5)
    let (writer, addresses) = Self.written(shape, &random)
    var memory = TableMemory(writer)
    // One table that is not the root cannot be read.
    let lost = try #require(writer.tables.keys.sorted().first { $0 != writer.root })
    for round in 0..<2 {
      if round == 1 { memory.remove(lost, size: writer.granule.bytes, .cutOff) }
      let regime = shape.regime(root: writer.root)
      var seen = Everything()
      let result = regime.sweep(in: memory, tableLimit: 1000, observer: &seen)
      #expect(!result.isCutShort)
      #expect(result.tables == seen.tables.count)
      // The ranges follow one another without a gap from the first address to the last.
      var next = regime.firstAddress
      for range in seen.ranges {
        #expect(range.first == next)
        next = range.last &+ 1
      }
      #expect(next == 0)
      #expect(addresses.count > 100)
      for address in addresses {
        let walked = regime.walk(VirtualAddress(address), in: memory)
        #expect(seen.kind(of: address) == Self.kind(walked, address), "\(hex(address))")
      }
    }
  }

  @Test("Each table is read once", arguments: Shape.all)
  func once(_ shape: Shape) {
    var random = SplitMix(seed: 9)
    let (writer, _) = Self.written(shape, &random)
    let memory = Counting(TableMemory(writer))
    var seen = Everything()
    let result = shape.regime(root: writer.root).sweep(in: memory, tableLimit: 1000, observer: &seen)
    let reads = memory.reads.withLock { $0 }
    #expect(reads.values.allSatisfy { $0 == 1 })
    #expect(reads.count == result.tables)
    #expect(Set(reads.keys) == Set(seen.tables.map(\.address.rawValue)))
  }

  @Test("A range shows its entries and reads the tables above them only", arguments: Shape.all)
  func ranges(_ shape: Shape) throws {
    var random = SplitMix(seed: 11)
    let (writer, addresses) = Self.written(shape, &random)
    let regime = shape.regime(root: writer.root)
    for address in addresses {
      let memory = Counting(TableMemory(writer))
      var seen = Everything()
      let result = regime.sweep(address...address, in: memory, tableLimit: 1000, observer: &seen)
      #expect(result.tables <= regime.levels)
      #expect(seen.ranges.count == 1)
      #expect(seen.kind(of: address) == Self.kind(regime.walk(VirtualAddress(address), in: memory), address))
    }
    var nothing = Everything()
    #expect(regime.sweep(0...0x1000, in: TableMemory(writer), tableLimit: 9, observer: &nothing).tables == 0)
    #expect(nothing.ranges.isEmpty)
  }

  @Test("The tables of a wider shape are shown as far as the hardware reaches")
  func fallback() {
    let shape = Shape.all[3]
    var writer = shape.writer()
    writer.map(0xffff_8000_1234_0000, to: 0x77_0000)
    writer.map(0xfff4_0000_0000_0000, to: 0x99_0000)
    let regime = TranslationRegime(
      register: .ttbr1EL1, granule: .sixtyFourKiB, tableBits: 52, addressBits: 48, format: .lpa64KiB,
      root: PhysicalAddress(writer.root))
    var seen = Everything()
    _ = regime.sweep(in: TableMemory(writer), tableLimit: 9, observer: &seen)
    #expect(seen.ranges.first?.first == 0xffff_0000_0000_0000)
    #expect(seen.ranges.last?.last == .max)
    #expect(seen.tables.count == 3)
  }

  @Test("Where part of a 64 KiB table is not in the dump, the rest is shown")
  func partOfATable() throws {
    let shape = Shape.all[2]
    var writer = shape.writer()
    let path = writer.map(shape.address, to: 0x77_0000)
    let leaf = try #require(path.last)
    var memory = TableMemory(writer)
    let page = leaf.address & ~0xfff
    memory.remove(page ^ 0x1000, size: 4096, .filtered)
    let regime = shape.regime(root: writer.root)
    var seen = Everything()
    _ = regime.sweep(in: memory, tableLimit: 9, observer: &seen)
    for address in [shape.address, shape.address ^ 1 << (16 + 9), shape.address ^ 1 << (16 + 12)] {
      #expect(seen.kind(of: address) == Self.kind(regime.walk(VirtualAddress(address), in: memory), address))
    }
    #expect(seen.kind(of: shape.address ^ 1 << (16 + 9)) == .missing(level: 3, .filtered))
  }

  @Test("A table whose entries are all alike is shown as one, whatever is below it", arguments: Shape.all)
  func alike(_ shape: Shape) throws {
    var writer = shape.writer()
    let path = writer.map(shape.address, to: 0x77_0000, attributes: 0x400)
    let entries = writer.granule.bytes / 8
    // The tables of levels 2 and 3 repeat their one entry.
    for entry in path where entry.level >= 2 && entry.level > shape.start {
      let table = entry.address - UInt64(entry.index) * 8
      for index in 0..<entries { writer.words[table + index * 8] = entry.value }
    }
    let regime = shape.regime(root: writer.root)
    let memory = Counting(TableMemory(writer))
    var seen = Everything()
    let result = regime.sweep(in: memory, tableLimit: 1000, observer: &seen)
    #expect(result.tables == regime.levels)
    #expect(memory.reads.withLock { $0.values.reduce(0, +) } == regime.levels)
    var random = SplitMix(seed: 3)
    for _ in 0..<50 {
      let address = shape.address ^ (random.next() & ((1 << UInt64(shape.lowBit(1))) - 1))
      guard case .leaf(let physical, _, level: 3)? = seen.kind(of: address) else {
        Issue.record("\(hex(address)) is not shown as mapped")
        continue
      }
      #expect(physical.rawValue == 0x77_0000)
      let leaf = regime.walk(VirtualAddress(address), in: memory).leaf
      #expect(leaf.map { $0.physical.rawValue & ~(writer.granule.bytes - 1) } == 0x77_0000)
    }
  }

  @Test("A table that repeats one leaf is read once, however often and wherever it is used", arguments: Shape.all)
  func shared(_ shape: Shape) throws {
    var writer = shape.writer()
    // UXN, PXN, read-only: what tables forbid besides changes nothing.
    let path = writer.map(
      shape.address, to: 0x77_0000, attributes: 0x0060_0000_0000_0480, tableAttributes: [2: 1 << 60, 1: 1 << 59])
    let entries = writer.granule.bytes / 8
    for entry in path where entry.level >= 2 {
      let table = entry.address - UInt64(entry.index) * 8
      for index in 0..<entries {
        // As KASAN has it: its first entry alone, which boot made, has UXNTable.
        writer.words[table + index * 8] = entry.level == 3 || index == 0 ? entry.value : entry.value & ~(1 << 60)
      }
    }
    // The same table of level 2 again, beside it, and a table of level 2 that uses the one of level 3 here and there.
    let upper = path[path.count - 3]
    writer.words[upper.address ^ 8] = upper.value
    let other = shape.address ^ 1 << UInt64(shape.lowBit(1) + 2)
    let mixed = writer.map(other, to: 0x99_0000)
    let pieces = mixed[mixed.count - 2]
    for index in stride(from: 2, to: entries, by: 3) where index != UInt64(pieces.index) {
      writer.words[pieces.address - UInt64(pieces.index) * 8 + index * 8] = path[path.count - 2].value
    }
    let memory = Counting(TableMemory(writer))
    let regime = shape.regime(root: writer.root)
    var seen = Everything()
    let result = regime.sweep(in: memory, tableLimit: 1000, observer: &seen)
    #expect(memory.reads.withLock { $0.values.allSatisfy { $0 == 1 } })
    #expect(result.tables == regime.levels + 2)
    #expect(!result.isCutShort)
    var random = SplitMix(seed: 3)
    for number in 0..<200 {
      let base = [shape.address, shape.address ^ 1 << UInt64(shape.lowBit(1)), other][number % 3]
      let address = base ^ (random.next() & ((1 << UInt64(shape.lowBit(1))) - 1))
      let walked = regime.walk(VirtualAddress(address), in: memory)
      guard case .leaf(let physical, let attributes, let level)? = seen.kind(of: address) else {
        #expect(walked.leaf == nil, "\(hex(address))")
        continue
      }
      let leaf = try #require(walked.leaf)
      #expect(physical.rawValue == leaf.physical.rawValue & ~(leaf.size - 1))
      #expect(level == leaf.level)
      #expect(attributes.isWritable == leaf.attributes.isWritable)
      #expect(attributes.isExecutableEL0 == leaf.attributes.isExecutableEL0)
      #expect(attributes.isExecutableEL1 == leaf.attributes.isExecutableEL1)
    }
    // Where the leaf lets EL0 execute, UXNTable of one entry is a difference, and both are shown.
    for index in 0..<entries {
      let table = path[path.count - 1].address - UInt64(path[path.count - 1].index) * 8
      writer.words[table + index * 8]? &= ~(1 << 54)
    }
    var apart = Everything()
    _ = regime.sweep(in: TableMemory(writer), tableLimit: 10_000, observer: &apart)
    let first = shape.address & ~((1 << UInt64(shape.lowBit(1))) - 1)
    for address in [first, first + 1 << UInt64(shape.lowBit(2))] {
      guard case .leaf(_, let attributes, _)? = apart.kind(of: address) else {
        Issue.record("\(hex(address)) is not shown as mapped")
        continue
      }
      #expect(attributes.isExecutableEL0 == (address != first))
    }
  }

  @Test("Tables that lead to themselves end, and what multiplies is cut short", arguments: Shape.all)
  func loops(_ shape: Shape) {
    let all = shape.granule.bytes / 8
    // Whole, so that it can be read as a table of any level.
    let whole = TableWriter(shape.granule, shape.encoding, vaBits: shape.vaBits, root: 0x10_0000, firstTable: 0x10_0000)
    var memory = TableMemory(whole)
    memory.present = [0x10_0000..<(0x10_0000 + shape.granule.bytes)]
    for isAlike in [true, false] {
      for index in 0..<all { memory.words[0x10_0000 + index * 8] = whole.address(0x10_0000) | 3 }
      if !isAlike { memory.words[0x10_0008] = whole.address(0x10_0000) | 3 | 1 << 60 }
      var seen = Everything()
      let result = shape.regime(root: 0x10_0000).sweep(in: memory, tableLimit: 200, observer: &seen)
      #expect(result.tables <= 200)
      #expect(result.isCutShort == !isAlike)
    }
  }
}

/// Numbers that look random and are the same each time. (Steele, Lea, Flood: splitmix64)
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }
}

extension Shape {
  /// How far the walk for `address` gets in what `writer` wrote: nil where it ends in a leaf or what cannot be.
  fileprivate func walk(_ writer: TableWriter, at address: UInt64) -> (level: Int, Void)? {
    switch TableMemory(writer).walk(regime(root: writer.root), VirtualAddress(address)) {
    case .unmapped(let level): (level, ())
    default: nil
    }
  }
}
