import Bytes
import CrashDump
import TestSupport
import Testing
import VMSA

/// Cores shaped like `/proc/kcore`: segments of virtual memory beside those of RAM.
@Suite("Cores shaped like /proc/kcore") struct KcoreShapeTests {
  private static let ram = contents(1, size: 64 << 10)

  @Test("Segments that say that they have no physical address are left out")
  func segments() throws {
    let noise = [UInt8](repeating: 0xee, count: 4096)
    let core = CoreWriter(
      notes: CoreWriter.vmcoreinfo("OSRELEASE=6.1\n"),
      [
        // The image, vmalloc of 126 TiB of which nothing is in the file, modules, then RAM.
        .init(.max, noise, virtual: 0xffff_8000_0800_0000),
        .init(.max, [], virtual: 0xffff_8000_1000_0000, fileSize: 126 << 40, memorySize: 126 << 40),
        .init(.max, noise, virtual: 0xffff_8000_0000_0000),
        .init(0x4000_0000, Self.ram, virtual: 0xffff_0000_0000_0000),
        .init(0x8000_0000, contents(2), virtual: 0xffff_0000_4000_0000),
      ])
    for bytes in [core.bytes(), FlattenedWriter(core.bytes(), recordSize: 5000).bytes()] {
      try withDump(bytes) { dump in
        #expect(dump.holds(Self.ram, at: 0x4000_0000))
        #expect(dump.holds(contents(2), at: 0x8000_0000))
        for address in [0, 0xffff_8000_0800_0000, 0xffff_8000_1000_0000, .max - 7, 0x5000_0000] as [UInt64] {
          #expect(dump.reason(address) == .notInDump)
        }
        #expect(dump.memory.ranges.map(\.lowerBound.rawValue) == [0x4000_0000, 0x8000_0000])
        #expect(dump.summary.bytesTotal == UInt64(Self.ram.count) + 4096)
        #expect(dump.notes.vmcoreinfo == Array("OSRELEASE=6.1\n".utf8))
        #expect(dump.warnings.isEmpty)
        let seen = dump.scanned().memory
        #expect(seen == [0x4000_0000: Self.ram, 0x8000_0000: contents(2)])
      }
    }
  }

  @Test("None but such segments: no memory was dumped")
  func none() throws {
    let core = CoreWriter(notes: [], [.init(.max, contents(1), virtual: 0xffff_8000_0800_0000)])
    let error = try #require(try openingError(core.bytes()))
    #expect(error.kind == .malformed && error.message.contains("no memory"))
  }

  @Test("The kernel's text, then the RAM that it lies in: either has its bytes")
  func overlap() throws {
    let text = Array(Self.ram[0x3000..<0x7000])
    let core = CoreWriter(
      notes: [],
      [
        .init(0x4000_3000, text, virtual: 0xffff_8000_0800_0000),
        .init(0x4000_0000, Self.ram, virtual: 0xffff_0000_0000_0000),
      ])
    try withDump(core.bytes()) { dump in
      #expect(dump.holds(Self.ram, at: 0x4000_0000))
      #expect(dump.holds(Array(Self.ram[0x2ffc..<0x3004]), at: 0x4000_2ffc))
      #expect(dump.holds(Array(Self.ram[0x6ffc..<0x7004]), at: 0x4000_6ffc))
      #expect(dump.summary.bytesTotal == UInt64(Self.ram.count))
    }
  }

  @Test("makedumpfile's ELF: what it left out is filtered, and an incomplete file says so")
  func incomplete() throws {
    var core = CoreWriter(
      notes: [],
      [
        .init(0x4000_0000, Self.ram, memorySize: 1 << 20), .init(0x5000_0000, [], memorySize: 1 << 20),
        .init(0x6000_0000, contents(3), fileSize: 8192, memorySize: 8192),
      ])
    core.flags = 1
    try withDump(core.bytes()) { dump in
      #expect(dump.holds(Self.ram, at: 0x4000_0000))
      #expect(dump.reason(0x4000_0000 + UInt64(Self.ram.count)) == .filtered)
      #expect(dump.reason(0x5000_0000) == .filtered)
      #expect(dump.reason(0x6000_1000) == .cutOff)
      #expect(dump.fault(0x5000_0000).map(dump.describe) == "page 0x50000000 was filtered out of this dump")
      #expect(dump.warnings.contains { $0.text.contains("incomplete") })
      #expect(dump.warnings.contains { $0.text.contains("4096 bytes of memory are missing") })
    }
  }
}
