import TestSupport
import Testing
import VMSA

/// A combination of page size, descriptor format and width that hardware has, for writer and walker.
struct Shape: CustomTestStringConvertible, Sendable {
  let granule: TableWriter.Granule
  let encoding: TableWriter.Encoding
  let vaBits: Int
  /// The level of the root.
  let start: Int
  /// The levels at which Arm allows blocks.
  let blocks: [Int]

  /// Every granule in every format that it has, as deep as it goes.
  static let all = [
    Shape(granule: .k4, encoding: .bits48, vaBits: 48, start: 0, blocks: [1, 2]),
    Shape(granule: .k16, encoding: .bits48, vaBits: 48, start: 0, blocks: [2]),
    Shape(granule: .k64, encoding: .bits48, vaBits: 48, start: 1, blocks: [2]),
    Shape(granule: .k64, encoding: .lpa, vaBits: 52, start: 1, blocks: [1, 2]),
    Shape(granule: .k4, encoding: .lpa2, vaBits: 52, start: -1, blocks: [0, 1, 2]),
    Shape(granule: .k16, encoding: .lpa2, vaBits: 52, start: 0, blocks: [1, 2]),
  ]

  /// The levels that hold a leaf.
  var leaves: [Int] { blocks + [3] }
  /// The levels whose entries can lead to another table.
  var tables: [Int] { Array(start...2) }
  var testDescription: String { "\(granule) \(encoding) \(vaBits)" }

  func writer() -> TableWriter { TableWriter(granule, encoding, vaBits: vaBits) }

  var walkerGranule: Granule {
    switch granule {
    case .k4: .fourKiB
    case .k16: .sixteenKiB
    case .k64: .sixtyFourKiB
    }
  }

  var format: DescriptorFormat {
    switch encoding {
    case .bits48: .bits48(walkerGranule)
    case .lpa: .lpa64KiB
    case .lpa2: .lpa2(walkerGranule)
    }
  }

  func regime(root: UInt64, physicalBits: Int = 52) -> TranslationRegime {
    TranslationRegime(
      register: .ttbr1EL1, granule: walkerGranule, tableBits: vaBits, format: format,
      physicalBits: physicalBits, root: PhysicalAddress(root))
  }

  /// Walks for `address` in what `writer` wrote.
  func walk(_ writer: TableWriter, physicalBits: Int = 52) -> WalkResult {
    TableMemory(writer).walk(regime(root: writer.root, physicalBits: physicalBits), VirtualAddress(address))
  }

  /// Walks for `address` in what `writer` wrote and keeps what was read.
  func trace(_ writer: TableWriter) -> (result: WalkResult, entries: [TableWriter.Entry]) {
    var trace = WalkTrace()
    let result = regime(root: writer.root)
      .walk(VirtualAddress(address), in: TableMemory(writer), observer: &trace)
    let entries = trace.steps.map {
      TableWriter.Entry(
        level: $0.level, index: $0.index, address: $0.address.rawValue, value: $0.descriptor.rawValue)
    }
    return (result, entries)
  }

  /// An address of the kernel's half with bits set and clear in each index and in the page.
  var address: UInt64 { 0x0005_b5c7_9d36_a2b9 | ~0 << UInt64(vaBits) }

  /// The offset of `address` in a leaf at `level`.
  func offset(level: Int) -> UInt64 {
    var mask: UInt64 = 0
    for bit in 0..<lowBit(level) { mask |= 1 << UInt64(bit) }
    return address & mask
  }

  /// The lowest address bit that a table of `level` resolves.
  func lowBit(_ level: Int) -> Int { granule.fields[level]?.low ?? 64 }
}

func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
