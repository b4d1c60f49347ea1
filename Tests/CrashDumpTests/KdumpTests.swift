import Bytes
import CrashDump
import Foundation
import TestSupport
import Testing
import VMSA

@Suite("kdump-compressed files") struct KdumpTests {
  /// A frame of each kind, and three kept by each codec.
  static func mixed(blockSize: Int = 4096) -> KdumpWriter {
    var writer = KdumpWriter(
      frameCount: 300,
      [10: .zero, 12: .filtered, 13: .lost, 14: .keptUnlisted(contents(14, size: blockSize)), 299: .zero])
    writer.blockSize = UInt64(blockSize)
    for (index, codec) in KdumpCodec.allCases.enumerated() {
      for frame in [UInt64(2 + index), 64 + UInt64(index), 200 + UInt64(index) * 7] {
        writer.pages[frame] = .kept(contents(frame, size: blockSize), codec)
      }
    }
    writer.notes = CoreWriter.prstatus(pid: 7, registers: [1, 2, 3])
    writer.notes += CoreWriter.vmcoreinfo("OSRELEASE=note\n")
    writer.vmcoreinfo = "OSRELEASE=text\n"
    return writer
  }

  /// Every frame that `writer` says is kept or zero reads as written; every other says why not.
  static func check(_ dump: DumpFile, _ writer: KdumpWriter) throws {
    let size = writer.blockSize
    var present: [UInt64: [UInt8]] = [:]
    for frame in 0..<writer.frameCount {
      let address = frame * size
      switch writer.pages[frame] {
      case .kept(let bytes, _), .keptUnlisted(let bytes): present[address] = bytes
      case .zero: present[address] = .zeros(Int(size))
      case .filtered: #expect(dump.reason(address) == .filtered, "\(frame)")
      case .lost: #expect(dump.reason(address) == .lost, "\(frame)")
      case nil: #expect(dump.reason(address) == .notInDump, "\(frame)")
      case .stored, .described: break
      }
    }
    for (address, expected) in present {
      #expect(dump.holds(expected, at: address), "\(address)")
      #expect(dump.memory.absence(at: PhysicalAddress(address)) == nil)
      for offset in [0, 8, Int(size) / 2, Int(size) - 8] {
        #expect(dump.word(address + UInt64(offset)) == word(expected, offset))
      }
    }
    let found = dump.scanned()
    #expect(found.memory == present && !found.hasDoubles)
  }

  /// The little-endian word at `offset`.
  static func word(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
    bytes[offset..<(offset + 8)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  @Test("Each header version, with the fields that it has", arguments: 1...6)
  func version(_ version: Int) throws {
    var writer = Self.mixed()
    writer.version = UInt32(version)
    // What the version does not have yet is not zero, and must not be believed.
    writer.fill = 0xa5
    try withDump(writer.bytes()) { dump in
      try Self.check(dump, writer)
      #expect(dump.summary.format == "kdump-compressed, header version \(version)")
      #expect(dump.summary.dumpLevel == 31)
      let text = version >= 4 ? "OSRELEASE=note\n" : version == 3 ? "OSRELEASE=text\n" : nil
      #expect(dump.notes.vmcoreinfo == text.map { Array($0.utf8) })
      #expect(dump.notes.cpus.map(\.pid) == (version >= 4 ? [7] : []))
      #expect(dump.warnings.isEmpty)
    }
  }

  @Test("A block need not be a page of the kernel's", arguments: [1024, 4096, 16384, 65536, 1 << 20])
  func blockSize(_ size: Int) throws {
    let writer = Self.mixed(blockSize: size)
    try withDump(writer.bytes()) { dump in
      try Self.check(dump, writer)
      #expect(dump.summary.blockSize == UInt64(size))
    }
  }

  @Test("What info counts")
  func summary() throws {
    var writer = Self.mixed()
    writer.status = 0x2f
    try withDump(writer.bytes()) { dump in
      let summary = dump.summary
      let page: UInt64 = 4096
      // 15 kept, one kept beyond the first bitmap, 2 of zeros.
      #expect(summary.bytesPresent == 18 * page)
      #expect(summary.bytesZero == 2 * page)
      #expect(summary.bytesLost == page)
      #expect(summary.bytesCutOff == 0)
      #expect(summary.bytesTotal == 19 * page)
      #expect(summary.compression == "zlib, LZO, snappy, zstd")
      #expect(dump.warnings.map(\.text) == ["makedumpfile marked this dump incomplete: it ran out of space"])
    }
    writer.status = 0
    writer.pages[14] = nil
    try withDump(writer.bytes()) { dump in
      #expect(dump.summary.bytesFiltered == 4096)
      #expect(dump.summary.compression == "none")
      let ranges = dump.memory.ranges.map { ($0.lowerBound.rawValue >> 12)..<($0.upperBound.rawValue >> 12) }
      let single = [200, 207, 214, 221, 228, 299].map { UInt64($0)..<UInt64($0 + 1) }
      #expect(ranges == [2..<7, 10..<11, 12..<14, 64..<69] + single)
    }
  }

  @Test("Where the pages begin is no evidence: a writer may align them", arguments: [8, 24, 48, 4000, 4096, 1 << 20])
  func aligned(_ gap: Int) throws {
    var writer = Self.mixed()
    writer.gap = UInt64(gap)
    try withDump(writer.bytes()) { dump in
      try Self.check(dump, writer)
      #expect(dump.warnings.isEmpty)
      #expect(dump.summary.bytesZero == 2 << 12)
    }
  }

  @Test("A bitmap with a bit more or less than there are descriptors is told")
  func misnumbered() throws {
    let writer = Self.mixed()
    var file = writer.bytes()
    // The second bitmap has frame 1, which was not dumped, or lacks frame 2, which was.
    let byte = Int(writer.bitmapOffset + writer.bitmapSize)
    let was = file[byte]
    for other in [was | 2, was & ~4] {
      #expect(other != was)
      file[byte] = other
      try withDump(file) { dump in
        #expect(dump.warnings.contains { $0.text.contains("does not fit its page descriptors") }, "\(other)")
      }
    }
  }

  @Test("What makedumpfile erased and left out of vmemmap is told")
  func erased() throws {
    var writer = Self.mixed()
    writer.version = 5
    writer.eraseInfo = "erase jprobe_dir 8\nerase task_struct.comm 16\n"
    writer.status = 0x11
    try withDump(writer.bytes()) { dump in
      #expect(dump.notes.eraseInfo.map { String(decoding: $0, as: UTF8.self) } == writer.eraseInfo)
      #expect(dump.summary.excludesVmemmap)
      #expect(dump.summary.compression == "zlib")
      #expect(dump.warnings.isEmpty)
    }
    try withDump(Self.mixed().bytes()) { dump in
      #expect(dump.notes.eraseInfo == nil && !dump.summary.excludesVmemmap)
    }
  }

  @Test("A dump of another machine is named; a name that no machine has says nothing")
  func machine() throws {
    var writer = Self.mixed()
    for (name, words) in [
      ("x86_64", "is an x86_64 dump"), ("s390x", "is an s390x dump"), ("ppc64le", "is a ppc64le dump"),
      ("armv7l", "is an armv7l dump"), ("riscv64", "is a riscv64 dump"), ("aarch64_be", "big-endian"),
    ] {
      writer.machine = name
      for bytes in [writer.bytes(), FlattenedWriter(writer.bytes(), recordSize: 3000).bytes()] {
        let error = try #require(try openingError(bytes))
        #expect(error.kind == .unsupported && error.message.contains(words), "\(error)")
        let offset = try #require(error.offset)
        #expect(offset == 12 + 4 * 65)
      }
    }
    for name in ["", "aarch64", "arm64", "\u{1}x86_64", "?"] {
      writer.machine = name
      try withDump(writer.bytes()) { dump in try Self.check(dump, writer) }
    }
  }

  @Test("Why a page is absent, in words that name it")
  func words() throws {
    try withDump(Self.mixed().bytes()) { dump in
      func text(_ frame: UInt64) -> String { dump.fault(frame << 12).map(dump.describe) ?? "present" }
      #expect(text(12) == "page 0xc000 was filtered out of this dump (dump level 31)")
      #expect(text(13) == "page 0xd000 was lost when the dump was written: the dump is incomplete")
      #expect(text(0) == "physical address 0x0 is not in this dump: no memory was dumped there")
      #expect(text(1 << 40) == "physical address 0x10000000000000 is not in this dump: no memory was dumped there")
      #expect(text(10) == "present")
    }
  }

  @Test("Reads across pages, small and large, end at the first page that is absent")
  func longReads() throws {
    var writer = KdumpWriter(frameCount: 2000)
    var memory: [UInt8] = []
    for frame in 100..<UInt64(900) {
      memory += contents(frame)
      writer.pages[frame] = .kept(contents(frame), KdumpCodec.allCases[Int(frame % 5)])
    }
    try withDump(writer.bytes()) { dump in
      let base: UInt64 = 100 << 12
      // From 32 pages on a read goes another way.
      for (offset, count) in [
        (0, 4096), (4090, 12), (1, 8191), (5000, 31 << 12), (0, 32 << 12), (123, 33 << 12), (4095, 700 << 12),
        (0, 800 << 12), (1 << 20, 1 << 20), (255 << 12, (256 << 12) + 1),
      ] {
        let expected = Array(memory[offset..<(offset + count)])
        #expect(dump.holds(expected, at: base + UInt64(offset)), "\(count) from \(offset)")
      }
      #expect(dump.fault(899 << 12, 4097) == MemoryFault(.notInDump, at: PhysicalAddress(900 << 12)))
      #expect(dump.fault(500 << 12, 600 << 12) == MemoryFault(.notInDump, at: PhysicalAddress(900 << 12)))
      #expect(dump.fault((90 << 12) + 5, 600 << 12) == MemoryFault(.notInDump, at: PhysicalAddress((90 << 12) + 5)))
    }
    writer.pages[400] = .filtered
    writer.pages[700] = .lost
    try withDump(writer.bytes()) { dump in
      #expect(dump.fault((100 << 12) + 9, 799 << 12) == MemoryFault(.filtered, at: PhysicalAddress(400 << 12)))
      #expect(dump.fault(401 << 12, 499 << 12) == MemoryFault(.lost, at: PhysicalAddress(700 << 12)))
      #expect(dump.holds(Array(memory[(301 << 12)..<(600 << 12)]), at: 401 << 12))
    }
  }

  @Test("Very old files: another signature, one bitmap")
  func old() throws {
    var writer = Self.mixed()
    writer.version = 1
    writer.signature = "DISKDUMP"
    writer.hasOneBitmap = true
    writer.pages[12] = nil
    try withDump(writer.bytes()) { dump in try Self.check(dump, writer) }
  }

  @Test("The 64-bit number of frames counts, whatever the 32-bit one says", arguments: [0, 1, 300] as [UInt32])
  func frameCount(_ narrow: UInt32) throws {
    var writer = Self.mixed()
    writer.patches = [(440, [UInt8](little: narrow))]
    try withDump(writer.bytes()) { dump in try Self.check(dump, writer) }
  }

  @Test("Frame numbers of 33 bits, in a file of holes")
  func wideFrames() throws {
    var writer = KdumpWriter(frameCount: 0x1_0000_0100, [5: .filtered, 0x1_0000_0042: .filtered])
    writer.patches = [(440, [UInt8](little: UInt32.max))]
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try writer.write(to: path)
      let dump = try DumpFile(path: path)
      #expect(dump.reason(5 << 12) == .filtered)
      #expect(dump.reason(0x1_0000_0042 << 12) == .filtered)
      #expect(dump.reason(0x1_0000_0043 << 12) == .notInDump)
      #expect(dump.reason(0x42 << 12) == .notInDump)
    }
  }

  @Test("A tebibyte of frames of which few were dumped, in a file of holes")
  func sparse() throws {
    var writer = KdumpWriter(frameCount: 1 << 28)
    for (index, codec) in KdumpCodec.allCases.enumerated() {
      let number = UInt64(index)
      for frame in [number, (1 << 20) + number, (1 << 27) + number << 10, (1 << 28) - 1 - number] {
        writer.pages[frame] = .kept(contents(frame), codec)
      }
    }
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try writer.write(to: path)
      let dump = try DumpFile(path: path)
      for (frame, page) in writer.pages {
        guard case .kept(let bytes, _) = page else { continue }
        #expect(dump.holds(bytes, at: frame << 12), "frame \(frame)")
      }
      #expect(dump.reason(1 << 30) == .notInDump)
    }
  }

  @Test("Notes and VMCOREINFO that lie beyond the end of the file are left out")
  func noteFields() throws {
    for (field, hasText) in [(32, false), (48, true)] as [(UInt64, Bool)] {
      for value in [UInt64.max, 1 << 62, 1 << 40] {
        var writer = Self.mixed()
        writer.notes = []
        writer.patches = [(4096 + field, [UInt8](little: value) + [UInt8](little: UInt64.max))]
        try withDump(writer.bytes()) { dump in
          #expect(dump.notes.vmcoreinfo == (hasText ? Array("OSRELEASE=text\n".utf8) : nil))
          #expect(dump.holds(contents(2), at: 2 << 12))
        }
      }
    }
  }
}
