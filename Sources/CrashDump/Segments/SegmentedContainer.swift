import Bytes
import VMSA

/// A dump whose memory lies in the file segment by segment, uncompressed.
protocol SegmentedContainer: DumpContainer {
  var memory: SegmentedMemory { get }
}

extension SegmentedContainer {
  @inline(__always)
  func word(at address: PhysicalAddress) throws(MemoryFault) -> UInt64 { try memory.word(at: address) }

  func read(_ address: PhysicalAddress, into buffer: inout MutableRawSpan) throws(MemoryFault) {
    try memory.read(address, into: &buffer)
  }

  func absence(at address: PhysicalAddress) -> Absence? { memory.absence(at: address) }
  func scan(_ body: @Sendable (PhysicalAddress, RawSpan) -> Bool) { memory.scan(body) }

  var ranges: [Range<PhysicalAddress>] { memory.map.ranges }
  var storedBytes: UInt64 { memory.map.bytes(nil) }
  var endOfMemory: UInt64 { memory.map.intervals.last?.end ?? 0 }
  var holes: [Range<UInt64>] { memory.holes }
}
