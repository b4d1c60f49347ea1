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

/// Counts all that a sweep shows.
private struct Counter: SweepObserver {
  var counts = [0, 0, 0, 0, 0]
  var last: UInt64 = 0
  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    counts[0] += 1
    precondition(entry.virtual.rawValue >= last, "entries come in the order of their addresses")
    last = entry.virtual.rawValue
  }
  mutating func empty(_ virtual: VirtualAddress, level: Int, shift: Int, count: Int) { counts[1] += count }
  mutating func invalid(_ entry: SweptEntry) { counts[2] += 1 }
  mutating func corrupt(_ entry: SweptEntry, _ what: WalkResult.Corruption) { counts[3] += 1 }
  mutating func missing(_ table: SweptTable, _ virtual: VirtualAddress, count: Int, _ fault: MemoryFault) {
    counts[4] += count
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
  for virtual in [address, address | 0xffff << 48, 0, .max, 1 << 55, regime.firstAddress, regime.lastAddress] {
    var trace = WalkTrace()
    let walked = regime.walk(VirtualAddress(virtual).untagged, in: memory, observer: &trace)
    precondition(trace.steps.count <= 5)
    // The MMU looks at the address in the descriptor; a block of 4 TiB may reach beyond 40 bits.
    if let leaf = walked.leaf {
      let start = leaf.physical.rawValue & ~((1 << UInt64(leaf.shift)) - 1)
      precondition(start >> UInt64(regime.physicalBits) == 0)
    }
  }
  var counter = Counter()
  let result = regime.sweep(in: memory, tableLimit: 2000, observer: &counter)
  precondition(result.tables <= 2000 + 4)
  var part = Counter()
  let first = max(regime.firstAddress, min(address, regime.lastAddress))
  _ = regime.sweep(first...regime.lastAddress, in: memory, tableLimit: 200, observer: &part)
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
