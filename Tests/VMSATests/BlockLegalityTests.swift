import TestSupport
import Testing
import VMSA

/// What bits 1:0 of an entry mean at each level. (Arm ARM D8.3.1; tools have erred on both sides)
@Suite struct BlockLegalityTests {
  /// Where 01 is a block, written out: 4 KiB at 1 and 2, at 0 with LPA2; 16 KiB at 2, at 1 with LPA2; 64 KiB
  /// at 2, at 1 with LPA. The same is in `Shape.blocks`, which the other tests use.
  static let blocks: [(TableWriter.Granule, TableWriter.Encoding, Set<Int>)] = [
    (.k4, .bits48, [1, 2]), (.k16, .bits48, [2]), (.k64, .bits48, [2]),
    (.k4, .lpa2, [0, 1, 2]), (.k16, .lpa2, [1, 2]), (.k64, .lpa, [1, 2]),
  ]

  @Test(arguments: Shape.all)
  func blockIsMappedOrReserved(_ shape: Shape) throws {
    let (_, _, blocks) = try #require(
      Self.blocks.first { $0.0 == shape.granule && $0.1 == shape.encoding })
    for level in shape.start...3 {
      var writer = shape.writer()
      let path = writer.map(shape.address, to: 0, level: level, attributes: 0x700)
      let entry = try #require(path.last)
      // A page is written as 11; here it is the same entry as a block.
      writer.words[entry.address] = entry.value & ~0b10
      let result = shape.walk(writer)
      if blocks.contains(level) {
        #expect(result.leaf?.level == level, "level \(level)")
      } else {
        #expect(result == .corrupt(level: level, .reservedEncoding), "level \(level)")
      }
    }
  }

  @Test func blocksHaveTheirSizes() {
    let sizes: [(TableWriter.Granule, TableWriter.Encoding, Int, UInt64)] = [
      (.k4, .bits48, 2, 2 << 20), (.k4, .bits48, 1, 1 << 30), (.k4, .lpa2, 0, 512 << 30),
      (.k16, .bits48, 2, 32 << 20), (.k16, .lpa2, 1, 64 << 30),
      (.k64, .bits48, 2, 512 << 20), (.k64, .lpa, 1, 4 << 40),
    ]
    for (granule, encoding, level, size) in sizes {
      for shape in Shape.all where shape.granule == granule && shape.encoding == encoding {
        var writer = shape.writer()
        writer.map(shape.address, to: 0, level: level)
        #expect(shape.walk(writer).leaf?.size == size, "\(shape.testDescription) level \(level)")
      }
    }
  }

  @Test(arguments: Shape.all)
  func tableOrPageIsElevenAtEveryLevel(_ shape: Shape) {
    for level in -1...3 {
      let kind = Descriptor(rawValue: 0b11).kind(level: level, format: shape.format)
      #expect(kind == (level == 3 ? .page : .table), "level \(level)")
    }
  }
}
