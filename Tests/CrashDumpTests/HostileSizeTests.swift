import Bytes
import CrashDump
import Foundation
import TestSupport
import Testing
import VMSA

/// Files whose counts and lengths claim more than there is: what they cost follows what they hold. Where one did not
/// hold to that, or trapped, it stands here.
@Suite struct HostileSizeTests {
  @Test("Memory that ends at the last address there is can be scanned and read")
  func top() throws {
    let start: UInt64 = 0xffff_ffff_fff0_0000
    try withDump(LiMEWriter([.init(start, contents(1, size: 1 << 20), last: .max)]).bytes()) { dump in
      #expect(dump.holds(contents(1, size: 8192), at: start))
      #expect(dump.scanned().memory.values.reduce(0) { $0 + $1.count } > 1 << 19)
    }
  }

  @Test("Many note segments that are one are looked at as far as notes ever go")
  func notes() throws {
    // Each claims the same mebibyte of zeros, in which a note may begin at every word.
    var core = HandmadeKernel().core
    core.notes = [CoreWriter.Notes](repeating: .init([], fileSize: 1 << 20), count: 50_000) + core.notes
    core.notes.append(.init(.zeros(1 << 20)))
    try withDump(core.bytes()) { dump in #expect(dump.notes.cpus.count <= 8192) }
  }

  @Test("Notes of more CPUs than there are do not pile up")
  func noteCPUs() throws {
    var core = HandmadeKernel().core
    core.notes = [.init((0..<9000).flatMap { CoreWriter.prstatus(pid: UInt32($0), registers: []) })]
    try withDump(core.bytes()) { dump in #expect(dump.notes.cpus.count == 8192) }
  }

  @Test("A bitmap of every other frame is scanned in parts, and each page once")
  func fragments() throws {
    var writer = KdumpWriter(frameCount: 150_001)
    writer.blockSize = 1024
    for frame in stride(from: UInt64(0), to: 150_000, by: 2) { writer.pages[frame] = .zero }
    writer.pages[150_000] = .kept(contents(9, size: 1024), .zlib)
    try withDump(writer.bytes()) { dump in
      #expect(dump.memory.ranges.count == 75_001)
      let seen = CountedPages()
      dump.memory.scan { address, bytes in
        seen.add(address.rawValue, bytes.byteCount)
        return true
      }
      #expect(seen.count == 75_001 && !seen.hasDoubles)
      // It ends when it is told to.
      let first = CountedPages()
      dump.memory.scan { address, bytes in
        first.add(address.rawValue, bytes.byteCount)
        return false
      }
      #expect(first.count < 100)
    }
  }

  @Test("A bitmap that does not fit its descriptors is told")
  func misnumbered() throws {
    var writer = KdumpWriter(frameCount: 4096)
    for frame in 100..<UInt64(140) { writer.pages[frame] = .kept(contents(frame), .lzo) }
    try withDump(writer.bytes()) { dump in #expect(dump.warnings.isEmpty) }
    writer.patches = [(writer.descriptorsOffset - writer.bitmapSize, [0xff, 0xff])]
    try withDump(writer.bytes()) { dump in
      #expect(dump.warnings.contains { $0.text.contains("bitmap does not fit") })
    }
  }

  @Test("Two segments that share their bytes are told, one that is described twice is not")
  func overlaps() throws {
    func warnings(_ change: (inout CoreWriter) -> Void) throws -> [String] {
      var core = HandmadeKernel().core
      change(&core)
      return try withDump(core.bytes()) { $0.warnings.map(\.text) }
    }
    #expect(try warnings { _ in }.isEmpty)
    let place = UInt64(HandmadeKernel().core.bytes().count - (16 << 12))
    // The writer puts a header of 56 bytes before the contents for each segment.
    #expect(
      try warnings { $0.segments.append(.init(HandmadeKernel.base, offset: place + 56, fileSize: 4096)) }.isEmpty)
    let other = try warnings { $0.segments.append(.init(0x9000_0000, offset: place + 56, fileSize: 4096)) }
    #expect(other.contains { $0.contains("one place in the file for two things") }, "\(other)")
    let header = try warnings { $0.segments.append(.init(0x9000_0000, offset: 1, fileSize: 8)) }
    #expect(header.contains { $0.contains("one place in the file for two things") }, "\(header)")
  }

  @Test("Every format reads alike whether it is mapped or not")
  func unmapped() throws {
    let kdump = KdumpTests.mixed().bytes()
    let elf = HandmadeKernel().core.bytes()
    let lime = LiMEWriter([.init(0x4000_0000, contents(3, size: 200_000)), .init(0x8000_0000, contents(4))]).bytes()
    let files = [
      "kdump": kdump, "elf": elf, "lime": lime, "flat-kdump": FlattenedWriter(kdump, recordSize: 5000).bytes(),
      "flat-elf": FlattenedWriter(elf, recordSize: 777).bytes(), "raw": contents(5, size: 300_000),
    ]
    try withFiles(files) { folder in
      for name in files.keys.sorted() {
        let path = "\(folder)/\(name)\(name == "raw" ? "@40000000" : "")"
        let mapped = try DumpFile(path: path)
        let read = try DumpFile(path: path, isMapped: false)
        #expect(mapped.memory.ranges == read.memory.ranges, "\(name)")
        #expect(mapped.summary.format == read.summary.format && mapped.warnings == read.warnings, "\(name)")
        #expect(mapped.scanned().memory == read.scanned().memory, "\(name)")
        for range in mapped.memory.ranges.prefix(50) {
          // Over the borders of the blocks that are kept, 64 KiB.
          for offset in [0, 4, 4090, 65_530, 131_060] as [UInt64] {
            let address = range.lowerBound.rawValue + offset
            #expect(mapped.word(address) == read.word(address), "\(name) \(address)")
            #expect(mapped.bytes(address, 100) == read.bytes(address, 100), "\(name) \(address)")
            #expect(mapped.bytes(address, 70_000) == read.bytes(address, 70_000), "\(name) \(address)")
          }
        }
      }
    }
  }

  @Test("What the disk no longer gives is an error, never zeros and never another page")
  func readError() throws {
    // A file that is shorter than it was when it was opened reads as one whose disk fails.
    var writer = KdumpWriter(frameCount: 4096)
    for frame in 0..<UInt64(200) { writer.pages[frame] = .kept(contents(frame), .raw) }
    try withFiles(["kdump": writer.bytes(), "elf": HandmadeKernel().core.bytes()]) { folder in
      for (name, address) in [("kdump", 150 << 12), ("elf", HandmadeKernel.base + 0xf000)] as [(String, UInt64)] {
        let dump = try DumpFile(path: "\(folder)/\(name)", isMapped: false)
        #expect(dump.warnings.isEmpty)
        try #require(FileHandle(forUpdatingAtPath: "\(folder)/\(name)")).truncate(atOffset: 0)
        // What the first block holds is kept.
        #expect(dump.fault(address + 65_536 * 4 - 8)?.absence != nil)
        if name == "kdump" {
          #expect(dump.fault(address)?.absence == .unreadable)
          #expect(dump.describe(MemoryFault(.unreadable, at: PhysicalAddress(address))).contains("failed"))
        }
      }
    }
  }
}

/// Pages as several threads see them.
private final class CountedPages: @unchecked Sendable {
  private let lock = NSLock()
  private var seen: Set<UInt64> = []
  private(set) var hasDoubles = false
  var count: Int { lock.withLock { seen.count } }

  func add(_ address: UInt64, _ count: Int) {
    lock.withLock {
      for page in stride(from: address, to: address + UInt64(count), by: 1024) where !seen.insert(page).inserted {
        hasDoubles = true
      }
    }
  }
}
