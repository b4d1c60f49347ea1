import Synchronization
import TestSupport
import Testing
import VMSA

/// Walks that begin at tables known from walks before: the same answers, with fewer words read.
@Suite struct WalkCacheTests {
  /// Counts the words that are read.
  private final class Counting: PhysicalMemory {
    let memory: TableMemory
    let words = Atomic<Int>(0)
    init(_ memory: TableMemory) { self.memory = memory }
    var ranges: [Range<PhysicalAddress>] { memory.ranges }
    func absence(at address: PhysicalAddress) -> Absence? { memory.absence(at: address) }
    func word(at address: PhysicalAddress) throws(MemoryFault) -> UInt64 {
      words.add(1, ordering: .relaxed)
      return try memory.word(at: address)
    }
    func scan(_ body: @Sendable (PhysicalAddress, RawSpan) -> Bool) { memory.scan(body) }
    func read(_ address: PhysicalAddress, into buffer: inout MutableRawSpan) throws(MemoryFault) {
      try memory.read(address, into: &buffer)
    }
  }

  @Test("Any answer is that of a walk from the root, whatever was asked before", arguments: Shape.all)
  func sameAnswers(_ shape: Shape) {
    var random = SplitMix(seed: 31)
    let (writer, addresses) = TableSweepTests.written(shape, &random)
    var memory = TableMemory(writer)
    // One table of the lowest level cannot be read.
    if let table = writer.tables.keys.sorted().last { memory.remove(table, size: 4096, .filtered) }
    let regime = shape.regime(root: writer.root)
    let cache = WalkCache()
    for _ in 0..<4000 {
      let near = addresses[Int(random.next() % UInt64(addresses.count))]
      // In the same page, table, or anywhere, the user's half and addresses of too many bits among them.
      let address = VirtualAddress(near ^ random.next() >> (12 + random.next() % 52))
      #expect(
        memory.walk(regime, address, cache: cache) == memory.walk(regime, address), "\(hex(address.rawValue))")
    }
  }

  @Test("A neighbour takes one word", arguments: Shape.all)
  func wordsRead(_ shape: Shape) {
    var writer = shape.writer()
    let page = writer.granule.bytes
    let first = shape.address & ~(page - 1)
    writer.map(first, to: 0x77_0000)
    writer.map(first ^ page, to: 0x88_0000)
    let memory = Counting(TableMemory(writer))
    let regime = shape.regime(root: writer.root)
    let cache = WalkCache()
    func words(_ address: UInt64) -> Int {
      let before = memory.words.load(ordering: .relaxed)
      #expect(memory.walk(regime, VirtualAddress(address), cache: cache).leaf != nil)
      return memory.words.load(ordering: .relaxed) - before
    }
    #expect(words(first) == 4 - shape.start)
    #expect(words(first) == 1)
    #expect(words(first ^ page) == 1)
  }
}
