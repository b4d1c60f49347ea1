import TestSupport
import Testing
import VMSA

/// Every output address bit alone, at every level where Arm has a leaf or a table, in each format.
///
/// What is expected is put together by the writer, bit by bit. One lost or added bit fails.
@Suite struct OutputAddressTests {
  /// No bit, each bit from `low` up to the highest of the format alone, and all of them.
  static func vectors(_ shape: Shape, from low: Int) -> [UInt64] {
    let bits = (low...shape.encoding.highestBit).map { UInt64(1) << UInt64($0) }
    return [0] + bits + [bits.reduce(0, |)]
  }

  @Test(arguments: Shape.all)
  func leafMapsExactlyItsAddress(_ shape: Shape) {
    for level in shape.leaves {
      for base in Self.vectors(shape, from: shape.lowBit(level)) {
        var writer = shape.writer()
        let path = writer.map(shape.address, to: base, level: level)
        let (result, entries) = shape.trace(writer)
        #expect(result.leaf?.physical.rawValue == base | shape.offset(level: level), "\(hex(base))")
        #expect(result.leaf?.level == level)
        #expect(result.leaf?.size == 1 << UInt64(shape.lowBit(level)))
        #expect(entries == path)
      }
    }
  }

  @Test(arguments: Shape.all)
  func nextTableIsReadAtExactlyItsAddress(_ shape: Shape) {
    for level in shape.tables {
      for table in Self.vectors(shape, from: shape.lowBit(3)) {
        var writer = shape.writer()
        let path = writer.map(shape.address, to: 0x77_0000, places: [level + 1: table])
        let (result, entries) = shape.trace(writer)
        #expect(entries == path, "table \(hex(table)) in an entry of level \(level)")
        #expect(result.leaf?.physical.rawValue == 0x77_0000 | shape.offset(level: 3))
      }
    }
  }

  /// The bits of a descriptor, besides its type, that are no address at a leaf or table of `low` bits:
  /// attributes, software's, and those that are zero on real hardware.
  static func otherBits(_ shape: Shape, from low: Int) -> UInt64 {
    ~shape.writer().address(vectors(shape, from: low).reduce(0, |)) & ~0b11
  }

  @Test(arguments: Shape.all)
  func otherBitsOfLeavesNeverReachTheAddress(_ shape: Shape) {
    for level in shape.leaves {
      let base = UInt64(1) << UInt64(shape.lowBit(level))
      let others = Self.otherBits(shape, from: shape.lowBit(level))
      for noise in (0..<64).map({ others & 1 << UInt64($0) }).filter({ $0 != 0 }) + [others] {
        var writer = shape.writer()
        writer.map(shape.address, to: base, level: level, attributes: noise)
        let physical = shape.walk(writer).leaf?.physical.rawValue
        #expect(physical == base | shape.offset(level: level), "\(hex(noise)) at level \(level)")
      }
    }
  }

  /// Linux sets bits 60 and 59 in each table entry; the walk must not take them for an address.
  @Test(arguments: Shape.all)
  func otherBitsOfTablesNeverReachTheNextTable(_ shape: Shape) {
    let others = Self.otherBits(shape, from: shape.lowBit(3))
    let alone = (0..<64).map { others & 1 << UInt64($0) }.filter { $0 != 0 }
    let attributes = (0..<32).map { UInt64($0) << 59 }
    for level in shape.tables {
      for noise in alone + attributes + [others] {
        var writer = shape.writer()
        let path = writer.map(shape.address, to: 0x77_0000, tableAttributes: [level: noise])
        let (result, entries) = shape.trace(writer)
        #expect(entries == path, "\(hex(noise)) in an entry of level \(level)")
        #expect(result.leaf?.physical.rawValue == 0x77_0000 | shape.offset(level: 3))
      }
    }
  }

  /// A page for each index bit: a wrong mask or shift would find another's entry.
  @Test(arguments: Shape.all)
  func everyIndexBitChoosesAnotherEntry(_ shape: Shape) {
    var writer = shape.writer()
    var expected: [UInt64: UInt64] = [:]
    for bit in shape.lowBit(3)..<shape.vaBits {
      let address = ~0 << UInt64(shape.vaBits) | 1 << UInt64(bit) as UInt64
      expected[address] = UInt64(bit) << 20
      writer.map(address, to: UInt64(bit) << 20)
    }
    let memory = TableMemory(writer)
    let regime = shape.regime(root: writer.root)
    for (address, physical) in expected {
      let leaf = regime.walk(VirtualAddress(address), in: memory).leaf
      #expect(leaf?.physical.rawValue == physical, "\(hex(address))")
    }
  }
}
