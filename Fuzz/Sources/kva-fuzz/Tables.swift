import KernelVA

/// Memory from address 0 on that is zero but for the words of the input: records of ten bytes, the number of a
/// word and its value.
private struct SparseMemory: PhysicalMemory {
  var words: [UInt64]

  /// 512 KiB: a word's number has 16 bits.
  static let count = 1 << 16

  init(_ records: ArraySlice<UInt8>) {
    words = [UInt64](repeating: 0, count: Self.count)
    forEachWord(records) { number, value in words[number] = value }
  }

  func word(at address: PhysicalAddress) throws(MemoryFault) -> UInt64 {
    guard address.rawValue / 8 < UInt64(words.count) else { throw MemoryFault(.notInDump, at: address) }
    return words[Int(address.rawValue / 8)]
  }

  func read(_ address: PhysicalAddress, into buffer: inout MutableRawSpan) throws(MemoryFault) {
    let count = UInt64(words.count * 8)
    guard address.rawValue <= count, UInt64(buffer.byteCount) <= count - address.rawValue else {
      throw MemoryFault(.filtered, at: address)
    }
    words.withUnsafeBytes { memory in
      buffer.withUnsafeMutableBytes { target in
        let start = Int(address.rawValue)
        target.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[start..<(start + target.count)]))
      }
    }
  }

  func absence(at address: PhysicalAddress) -> Absence? {
    address.rawValue / 8 < UInt64(words.count) ? nil : .notInDump
  }
  func scan(_ body: @Sendable (PhysicalAddress, RawSpan) -> Bool) {}
  var ranges: [Range<PhysicalAddress>] { [PhysicalAddress(0)..<PhysicalAddress(UInt64(words.count) * 8)] }
}

/// Calls `body` with each record of `bytes`: two bytes of number, eight of value.
func forEachWord(_ bytes: ArraySlice<UInt8>, _ body: (Int, UInt64) -> Void) {
  var at = bytes.startIndex
  while at + 10 <= bytes.endIndex {
    let value = bytes[(at + 2)..<(at + 10)].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    body(Int(bytes[at]) | Int(bytes[at + 1]) << 8, value)
    at += 10
  }
}

/// What becomes of an address: in the same words for a walk and for a sweep.
private enum Outcome: Hashable {
  /// A leaf of `level` that begins at this physical address.
  case mapped(PhysicalAddress, Attributes, level: Int)
  case unmapped(level: Int)
  case corrupt(level: Int, WalkResult.Corruption)
  case missing(level: Int)

  /// nil where the MMU faults without a walk.
  init?(_ result: WalkResult, at address: UInt64) {
    switch result {
    case .mapped(let leaf):
      self = .mapped(
        PhysicalAddress(leaf.physical.rawValue &- address & (leaf.size &- 1)), leaf.attributes, level: leaf.level)
    case .unmapped(let level): self = .unmapped(level: level)
    case .corrupt(let level, let what): self = .corrupt(level: level, what)
    case .tableMissing(let level, _): self = .missing(level: level)
    case .notCanonical: return nil
    }
  }

  init(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    self = .mapped(physical, Attributes(entry.descriptor, tables: entry.tables), level: entry.level)
  }
}

/// Keeps what a sweep shows, a range of addresses at a time: the first 4,096 of them.
private struct Record: SweepObserver {
  var ranges: [(first: UInt64, last: UInt64, outcome: Outcome)] = []
  private var next: UInt64 = 0

  private mutating func add(_ first: UInt64, _ last: UInt64, _ outcome: Outcome) {
    precondition(first <= last && first >= next, "ranges come in the order of their addresses, each once")
    next = last
    if ranges.count < 4096 { ranges.append((first, last, outcome)) }
  }
  private static func last(_ first: VirtualAddress, _ shift: Int, _ count: Int) -> UInt64 {
    first.rawValue &+ (UInt64(count) &<< UInt64(shift)) &- 1
  }
  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    add(entry.virtual.rawValue, entry.last, Outcome(entry, physical))
  }
  mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {
    add(entry.virtual.rawValue, last, Outcome(entry, physical))
  }
  mutating func empty(_ virtual: VirtualAddress, level: Int, shift: Int, count: Int) {
    add(virtual.rawValue, Self.last(virtual, shift, count), .unmapped(level: level))
  }
  mutating func invalid(_ entry: SweptEntry) {
    add(entry.virtual.rawValue, entry.last, .unmapped(level: entry.level))
  }
  mutating func corrupt(_ entry: SweptEntry, _ what: WalkResult.Corruption) {
    add(entry.virtual.rawValue, entry.last, .corrupt(level: entry.level, what))
  }
  mutating func missing(_ table: SweptTable, _ virtual: VirtualAddress, count: Int, _ fault: MemoryFault) {
    add(virtual.rawValue, Self.last(virtual, table.shift, count), .missing(level: table.level))
  }
}

/// The input is a shape, where the root is, an address, and memory. Whatever the tables say, the walk of an
/// address and the sweep over all of them agree.
@Sendable func fuzzTables(_ bytes: [UInt8]) {
  guard bytes.count >= 12 else { return }
  let granule: Granule = [.fourKiB, .sixteenKiB, .sixtyFourKiB][Int(bytes[0]) % 3]
  let bits = [39, 48, 52, 36, 47, 42, 20, 33][Int(bytes[1] & 7)]
  let narrower = bytes[1] & 0x10 != 0 ? 48 : bits
  let format: DescriptorFormat =
    [.bits48(granule), .lpa64KiB, .lpa2(granule)][Int(bytes[1] >> 5) % 3]
  let address = bytes[4..<12].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
  let memory = SparseMemory(bytes[12...])
  let regime = TranslationRegime(
    register: bytes[0] & 0x80 == 0 ? .ttbr1EL1 : .ttbr0EL1, granule: granule, tableBits: bits, addressBits: narrower,
    format: format, physicalBits: bytes[2] & 1 == 0 ? 52 : 40, root: PhysicalAddress(UInt64(bytes[3]) << 12))
  for pointer in [address, address | 0xffff << 48, 0, .max, 1 << 55, regime.firstAddress, regime.lastAddress] {
    var trace = WalkTrace()
    let virtual = VirtualAddress(pointer).untagged.rawValue
    let walked = regime.walk(VirtualAddress(virtual), in: memory, observer: &trace)
    precondition(trace.steps.count <= 5)
    var record = Record()
    _ = regime.sweep(virtual...virtual, in: memory, tableLimit: 5, observer: &record)
    if let outcome = Outcome(walked, at: virtual) {
      precondition(record.ranges.map(\.outcome) == [outcome], "a walk and a sweep of one address agree")
    } else {
      precondition(record.ranges.isEmpty, "a sweep shows no address that the MMU does not walk for")
    }
    // The MMU looks at the address in the descriptor; a block of 4 TiB may reach beyond 40 bits.
    if let leaf = walked.leaf {
      let start = leaf.physical.rawValue & ~((1 << UInt64(leaf.shift)) - 1)
      precondition(start >> UInt64(regime.physicalBits) == 0)
    }
  }
  let start = max(regime.firstAddress, min(address, regime.lastAddress))
  for (range, limit) in [(regime.firstAddress...regime.lastAddress, 2000), (start...regime.lastAddress, 200)] {
    var record = Record()
    let result = regime.sweep(range, in: memory, tableLimit: limit, observer: &record)
    precondition(result.tables <= limit + 4)
    for (first, last, outcome) in record.ranges {
      for virtual in [max(first, range.lowerBound), last] {
        let walked = regime.walk(VirtualAddress(virtual), in: memory)
        // A range of equal tables leads to the same memory again and again, so that its level may be any of theirs.
        precondition(Outcome(walked, at: virtual) == outcome, "the walk says what the sweep shows")
      }
    }
  }
}

/// The input is the RAM of a kernel, tables and all: 64 pages that are zero but for the words of the records.
@Sendable func fuzzKernelTables(_ bytes: [UInt8]) {
  let ram = SparseRAM.pages(64, bytes[...])
  let note = Array(SmallKernel.vmcoreinfo.joined(separator: "\n").utf8)
  guard let kernel = SmallKernel.kernel(ram: ram, note: note) else { return }
  exerciseTables(kernel)
  for query in ["0xffff800008005010", "0xffff000000000000", "0xfffffc0000000000"] {
    _ = kernel.resolve(query, trace: true)
    _ = kernel.identify(query)
  }
  // Where something is mapped and how it is found from there is one and the same.
  for page in stride(from: SmallKernel.base, to: SmallKernel.base + 64 << 12, by: 7 << 12) {
    _ = kernel.reverseMap(PhysicalAddress(page)) { mapping in
      _ = kernel.doubt(of: mapping.virtual)
      guard mapping.through == nil else { return }
      precondition(kernel.translate(mapping.virtual).leaf?.physical.rawValue == page, "what maps a page leads to it")
    }
  }
}
