import Bytes
import VMSA

/// A dump without some of its page frames, which read as filtered out.
struct RestrictedDump: DumpContainer {
  let whole: any DumpContainer
  /// Bytes of a frame, a power of two.
  let frameSize: UInt64
  /// Whether the frame that begins at an address is left out.
  let isLeftOut: @Sendable (PhysicalAddress) -> Bool

  var notes: DumpNotes { whole.notes }
  var warnings: [Diagnostic] { whole.warnings }
  var summary: DumpSummary { whole.summary }
  var storedBytes: UInt64 { whole.storedBytes }
  var endOfMemory: UInt64 { whole.endOfMemory }
  var holes: [Range<UInt64>] { whole.holes }
  var dumpLevel: Int? { whole.dumpLevel }
  var ranges: [Range<PhysicalAddress>] { whole.ranges }

  func missingPart(at address: PhysicalAddress) -> String? { whole.missingPart(at: address) }

  private func start(_ address: PhysicalAddress) -> PhysicalAddress {
    PhysicalAddress(address.rawValue & ~(frameSize - 1))
  }

  func word(at address: PhysicalAddress) throws(MemoryFault) -> UInt64 {
    if isLeftOut(start(address)) { throw MemoryFault(.filtered, at: address) }
    return try whole.word(at: address)
  }

  func read(_ address: PhysicalAddress, into buffer: inout MutableRawSpan) throws(MemoryFault) {
    guard buffer.byteCount > 0 else { return try whole.read(address, into: &buffer) }
    let last = address &+ UInt64(buffer.byteCount - 1)
    var frame = start(address)
    // Nothing lies at the end of the address space, as the dump itself will report.
    while frame <= last {
      if isLeftOut(frame) { throw MemoryFault(.filtered, at: max(frame, address)) }
      let (next, isOver) = frame.rawValue.addingReportingOverflow(frameSize)
      if isOver { break }
      frame = PhysicalAddress(next)
    }
    try whole.read(address, into: &buffer)
  }

  func absence(at address: PhysicalAddress) -> Absence? {
    isLeftOut(start(address)) ? .filtered : whole.absence(at: address)
  }

  func scan(_ body: @Sendable (PhysicalAddress, RawSpan) -> Bool) {
    whole.scan { address, span in
      var offset = 0
      while offset < span.byteCount {
        let here = address &+ UInt64(offset)
        let rest = Int(frameSize - here.rawValue & (frameSize - 1))
        let count = min(rest, span.byteCount - offset)
        if !isLeftOut(start(here)), let part = span.slice(at: offset, count: count), !body(here, part) { return false }
        offset += count
      }
      return true
    }
  }
}
