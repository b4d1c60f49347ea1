import TestSupport
import VMSA

/// Tables in memory, and nothing else: a read outside them is absent, so a walk that strays is seen.
struct TableMemory: PhysicalMemory {
  var words: [UInt64: UInt64]
  var present: [Range<UInt64>]
  /// Parts of `present` that cannot be read, and why.
  var absent: [(range: Range<UInt64>, why: Absence)] = []

  init(_ writer: TableWriter) {
    words = writer.words
    present = writer.tables.map { $0.key..<($0.key + $0.value) }
  }

  /// Takes the page or table at `address` away.
  mutating func remove(_ address: UInt64, size: UInt64, _ why: Absence) {
    absent.append((address..<(address + size), why))
  }

  var ranges: [Range<PhysicalAddress>] {
    present.sorted { $0.lowerBound < $1.lowerBound }
      .map { PhysicalAddress($0.lowerBound)..<PhysicalAddress($0.upperBound) }
  }

  func absence(at address: PhysicalAddress) -> Absence? {
    if let (_, why) = absent.first(where: { $0.range.contains(address.rawValue) }) { return why }
    return present.contains { $0.contains(address.rawValue) } ? nil : .notInDump
  }

  func word(at address: PhysicalAddress) throws(MemoryFault) -> UInt64 {
    if let why = absence(at: address) { throw MemoryFault(why, at: address) }
    return words[address.rawValue] ?? 0
  }

  func scan(_ body: @Sendable (PhysicalAddress, RawSpan) -> Bool) {
    for range in ranges {
      let count = Int(range.upperBound.rawValue - range.lowerBound.rawValue)
      guard let bytes = try? bytes(at: range.lowerBound, count: count) else { continue }
      guard body(range.lowerBound, bytes.span.bytes) else { return }
    }
  }

  func read(_ address: PhysicalAddress, into buffer: inout MutableRawSpan) throws(MemoryFault) {
    var index = 0
    while index < buffer.byteCount {
      let place = address.rawValue + UInt64(index)
      let word = try word(at: PhysicalAddress(place & ~7))
      if place % 8 == 0, buffer.byteCount - index >= 8 {
        buffer.storeBytes(of: word.littleEndian, toByteOffset: index, as: UInt64.self)
        index += 8
      } else {
        let byte = UInt8(truncatingIfNeeded: word >> (8 * (place & 7)))
        buffer.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
        index += 1
      }
    }
  }
}
