import TestSupport
import Testing
import VMSA

/// The ways in which a walk can end, at every level, and that none is taken for another.
@Suite struct AnswersTests {
  @Test(arguments: Shape.all)
  func invalidEntryIsUnmapped(_ shape: Shape) {
    // Bit 0 decides alone: what Linux keeps in the other bits of an invalid entry is no mapping.
    let invalid: [UInt64] = [0, 0b10, ~0b11, ~0b01, 0x0400_0000_4000_0f02]
    var writer = shape.writer()
    let path = writer.map(shape.address, to: 0x77_0000)
    for entry in path {
      for value in invalid {
        var spoilt = writer
        spoilt.words[entry.address] = value
        #expect(shape.walk(spoilt) == .unmapped(level: entry.level))
      }
    }
  }

  @Test(arguments: Shape.all)
  func missingTableIsNotUnmapped(_ shape: Shape) {
    let reasons: [Absence] = [.notInDump, .filtered, .cutOff, .lost, .damaged, .inMissingPart]
    var writer = shape.writer()
    let path = writer.map(shape.address, to: 0x77_0000)
    let regime = shape.regime(root: writer.root)
    for entry in path {
      for why in reasons {
        var memory = TableMemory(writer)
        memory.remove(entry.address / 4096 * 4096, size: 4096, why)
        let fault = MemoryFault(why, at: PhysicalAddress(entry.address))
        #expect(
          regime.walk(VirtualAddress(shape.address), in: memory) == .tableMissing(level: entry.level, fault))
      }
      // The words beside the entry are not needed.
      var memory = TableMemory(writer)
      let table = entry.address - UInt64(8 * entry.index)
      let end = table + (writer.tables[table] ?? 0)
      memory.remove(table, size: entry.address - table, .filtered)
      memory.remove(entry.address + 8, size: end - entry.address - 8, .filtered)
      #expect(regime.walk(VirtualAddress(shape.address), in: memory).leaf != nil)
    }
  }

  @Test(arguments: Shape.all)
  func leafBeyondThePhysicalRangeIsCorrupt(_ shape: Shape) {
    for bits in [44, 47] + (shape.encoding == .bits48 ? [] : [48, 49, 51]) {
      for level in shape.leaves {
        let beyond = UInt64(1) << UInt64(bits)
        var writer = shape.writer()
        writer.map(shape.address, to: beyond, level: level)
        #expect(
          shape.walk(writer, physicalBits: bits)
            == .corrupt(level: level, .addressOutOfRange(PhysicalAddress(beyond))))
        #expect(shape.walk(writer, physicalBits: bits + 1).leaf != nil)
        let last = beyond - 1 << UInt64(shape.lowBit(level))
        writer.map(shape.address, to: last, level: level)
        #expect(
          shape.walk(writer, physicalBits: bits).leaf?.physical.rawValue == last | shape.offset(level: level))
      }
    }
  }

  @Test(arguments: Shape.all)
  func tableBeyondThePhysicalRangeIsCorruptAndNotRead(_ shape: Shape) {
    for bits in [36, 47] + (shape.encoding == .bits48 ? [] : [48, 49, 51]) {
      for level in shape.tables {
        let beyond = UInt64(1) << UInt64(bits)
        var writer = shape.writer()
        writer.map(shape.address, to: 0x77_0000, places: [level + 1: beyond])
        #expect(
          shape.walk(writer, physicalBits: bits)
            == .corrupt(level: level, .addressOutOfRange(PhysicalAddress(beyond))))
        #expect(shape.walk(writer, physicalBits: bits + 1).leaf != nil)
      }
    }
  }

  /// Every entry leads back to the root: the levels run out, and the last entry is taken for a page.
  @Test(arguments: Shape.all)
  func tableThatLeadsToItselfEndsTheWalk(_ shape: Shape) {
    var writer = TableWriter(shape.granule, shape.encoding, vaBits: shape.vaBits, root: 0x10_0000)
    writer.map(shape.address, to: 0, places: [1: writer.root, 2: writer.root, 3: writer.root])
    let itself = writer.address(writer.root) | 0b11
    for offset in stride(from: 0, to: shape.granule.bytes, by: 8) {
      writer.words[writer.root + offset] = itself
    }
    let (result, entries) = shape.trace(writer)
    #expect(result.leaf?.physical.rawValue == writer.root | shape.offset(level: 3))
    #expect(entries.map(\.level) == Array(shape.start...3))
  }

  /// Memory in which every word is noise.
  struct Noise: PhysicalMemory {
    let seed: UInt64
    var ranges: [Range<PhysicalAddress>] { [PhysicalAddress(0)..<PhysicalAddress(1 << 52)] }
    func absence(at address: PhysicalAddress) -> Absence? { nil }
    func scan(_ body: @Sendable (PhysicalAddress, RawSpan) -> Bool) {}
    func read(_ address: PhysicalAddress, into buffer: inout MutableRawSpan) throws(MemoryFault) {}
    func word(at address: PhysicalAddress) throws(MemoryFault) -> UInt64 {
      var word = (address.rawValue ^ seed) &* 0x9e37_79b9_7f4a_7c15
      word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
      word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
      // Three of four entries are tables, so that most walks go deep.
      return (word ^ word >> 31) | (word >> 61 & 1) | (word >> 62 & 1) << 1
    }
  }

  @Test(arguments: Shape.all)
  func noiseEndsTheWalk(_ shape: Shape) {
    for physicalBits in [40, 48, 52] {
      for seed in 0..<2000 as Range<UInt64> {
        let memory = Noise(seed: seed << 32)
        let regime = shape.regime(root: 0x4000_0000, physicalBits: physicalBits)
        let address = VirtualAddress(shape.address ^ seed << 12)
        var trace = WalkTrace()
        let result = regime.walk(address, in: memory, observer: &trace)
        #expect(trace.steps.count <= 4 - shape.start)
        #expect(trace.steps.enumerated().allSatisfy { $0.element.level == shape.start + $0.offset })
        if let leaf = result.leaf {
          // The MMU checks where a block begins: one of 4 TiB may go on beyond 2^40.
          let base = leaf.physical.rawValue & ~(leaf.size - 1)
          #expect(base >> UInt64(physicalBits) == 0)
        }
      }
    }
  }
}
