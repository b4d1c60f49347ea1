import CrashDump
import Foundation
import TestSupport
import Testing
import VMSA

/// PT_LOAD segments of an ELF core as physical memory.
@Suite struct SegmentTests {
  @Test(
    "Any number of segments, also more than e_phnum can hold", arguments: [1, 3, 9, 65_534, 65_535, 70_000])
  func many(_ count: Int) throws {
    // Every other page has 16 bytes, which hold their own address.
    func address(_ number: Int) -> UInt64 { 0x4000_0000 + UInt64(number) * 0x2000 }
    let segments = (0..<count).map { number in
      CoreWriter.Segment(
        address(number), [UInt8](little: address(number)) + [UInt8](little: ~address(number)))
    }
    try withDump(CoreWriter(notes: [], segments)) { (dump: DumpFile) throws in
      for number in stride(from: 0, to: count, by: max(1, count / 500)) + [count - 1] {
        let here = address(number)
        #expect(try dump.memory.word(at: PhysicalAddress(here)) == here)
        #expect(try dump.memory.word(at: PhysicalAddress(here + 8)) == ~here)
        #expect(fault(dump, here + 16) == MemoryFault(.notInDump, at: PhysicalAddress(here + 16)))
        #expect(dump.memory.absence(at: PhysicalAddress(here - 1)) == .notInDump)
      }
      #expect(dump.memory.ranges.count == count)
      #expect(dump.memory.ranges.first?.lowerBound.rawValue == address(0))
      #expect(dump.memory.ranges.last?.upperBound.rawValue == address(count - 1) + 16)
      #expect(dump.summary.bytesPresent == UInt64(count) * 16)
    }
  }

  @Test("An extended count is used for a small number too, and the segments need no order")
  func extendedCount() throws {
    var core = CoreWriter(notes: [], [3, 1, 2].map { .init($0 << 12, [UInt8](little: $0)) })
    core.usesExtendedCount = true
    try withDump(core) { (dump: DumpFile) throws in
      for number in 1...3 as ClosedRange<UInt64> {
        #expect(try dump.memory.word(at: PhysicalAddress(number << 12)) == number)
      }
    }
  }

  @Test(
    "Only p_paddr says where memory is",
    arguments: [nil, 0, .max, 0xffff_8000_0800_0000, 0x4000_1000] as [UInt64?])
  func virtualAddress(_ virtual: UInt64?) throws {
    let core = CoreWriter(
      notes: [],
      [
        .init(0x4000_0000, [UInt8](little: 0x11 as UInt64), virtual: virtual),
        .init(0x4000_1000, [UInt8](little: 0x22 as UInt64), virtual: virtual),
      ])
    try withDump(core) { (dump: DumpFile) throws in
      #expect(try dump.memory.word(at: PhysicalAddress(0x4000_0000)) == 0x11)
      #expect(try dump.memory.word(at: PhysicalAddress(0x4000_1000)) == 0x22)
      #expect(dump.memory.ranges.map(\.lowerBound.rawValue) == [0x4000_0000, 0x4000_1000])
      #expect(dump.memory.absence(at: PhysicalAddress(0x1000)) == .notInDump)
    }
  }

  @Test("A word, and a read, over the border of two segments")
  func border() throws {
    let bytes = (0..<64).map { UInt8($0) }
    for border in 1..<24 {
      // The second part stands first in the file.
      let core = CoreWriter(
        notes: [],
        [.init(0x1000 + UInt64(border), Array(bytes[border...])), .init(0x1000, Array(bytes[..<border]))])
      try withDump(core) { (dump: DumpFile) throws in
        for start in stride(from: 0, through: 24, by: 8) {
          let expected = bytes[start..<(start + 8)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
          #expect(
            try dump.memory.word(at: PhysicalAddress(0x1000 + UInt64(start))) == expected, "border \(border)")
        }
        #expect(try dump.memory.bytes(at: PhysicalAddress(0x1000), count: 64) == bytes)
        #expect(try dump.memory.bytes(at: PhysicalAddress(0x1003), count: 30) == Array(bytes[3..<33]))
        #expect(dump.memory.ranges == [PhysicalAddress(0x1000)..<PhysicalAddress(0x1040)])
      }
    }
  }

  @Test("A read that meets a gap says where the first missing byte is, and of which kind")
  func firstMissing() throws {
    // 1000-1fff there, 2000-2fff left out, 3000-3fff there, 4000-4fff a hole, 5000-5fff there, then cut off.
    let page = [UInt8](repeating: 0x5a, count: 4096)
    let core = CoreWriter(
      notes: [],
      [
        .init(0x1000, page, memorySize: 0x2000), .init(0x3000, page), .init(0x5000, page),
        .init(0x6000, offset: 1 << 20, fileSize: 0x1000),
      ])
    try withDump(core) { (dump: DumpFile) throws in
      let cases: [(start: UInt64, count: Int, absence: Absence, first: UInt64)] = [
        (0x1000, 0x1001, .filtered, 0x2000), (0x1fff, 2, .filtered, 0x2000), (0x2000, 1, .filtered, 0x2000),
        (0x2abc, 0x2000, .filtered, 0x2abc), (0x3000, 0x3000, .notInDump, 0x4000),
        (0x3ffc, 8, .notInDump, 0x4000),
        (0x4008, 8, .notInDump, 0x4008), (0x5000, 0x1234, .cutOff, 0x6000), (0x6ffc, 8, .cutOff, 0x6ffc),
        (0x7000, 1, .notInDump, 0x7000), (0xfff, 2, .notInDump, 0xfff),
      ]
      for (start, count, absence, first) in cases {
        let expected = MemoryFault(absence, at: PhysicalAddress(first))
        #expect(throws: expected) { try dump.memory.bytes(at: PhysicalAddress(start), count: count) }
        #expect(dump.memory.absence(at: PhysicalAddress(first)) == absence)
      }
      // Words too: at 1ffc four bytes are there and four are not.
      #expect(fault(dump, 0x1ffc) == MemoryFault(.filtered, at: PhysicalAddress(0x2000)))
      #expect(fault(dump, 0x3ffc) == MemoryFault(.notInDump, at: PhysicalAddress(0x4000)))
      #expect(fault(dump, 0x5ffc) == MemoryFault(.cutOff, at: PhysicalAddress(0x6000)))
      #expect(try dump.memory.bytes(at: PhysicalAddress(0x5000), count: 0x1000) == page)
      #expect(dump.memory.absence(at: PhysicalAddress(0x5fff)) == nil)
      let ranges: [(UInt64, UInt64)] = [(0x1000, 0x4000), (0x5000, 0x7000)]
      #expect(dump.memory.ranges == ranges.map { PhysicalAddress($0)..<PhysicalAddress($1) })
      #expect(dump.summary.bytesPresent == 0x3000)
      #expect(dump.summary.bytesFiltered == 0x1000)
      #expect(dump.summary.bytesCutOff == 0x1000)
      #expect(dump.summary.bytesTotal == 0x5000)
    }
  }

  @Test("Empty segments hold nothing and hide nothing")
  func empty() throws {
    let core = CoreWriter(
      notes: [],
      [
        .init(0x1000), .init(0x1000, [UInt8](little: 0x77 as UInt64)), .init(0x1004),
        .init(0x1000, offset: 1 << 40),
        .init(0x9000, memorySize: 0x1000), .init(0),
      ])
    try withDump(core) { (dump: DumpFile) throws in
      #expect(try dump.memory.word(at: PhysicalAddress(0x1000)) == 0x77)
      #expect(dump.memory.absence(at: PhysicalAddress(0)) == .notInDump)
      #expect(dump.memory.absence(at: PhysicalAddress(0x9fff)) == .filtered)
      #expect(dump.memory.ranges.map(\.lowerBound.rawValue) == [0x1000, 0x9000])
    }
  }

  @Test(
    "A file cut anywhere: what is there reads, what is cut says so",
    arguments: [0, 1, 7, 8, 4095, 4096, 6000, 8191])
  func cut(_ kept: Int) throws {
    let contents = (0..<8192).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let core = CoreWriter(notes: [], [.init(0x8000, contents)])
    let start = core.bytes().count - contents.count
    try withDump(core, size: UInt64(start + kept)) { (dump: DumpFile) throws in
      if kept > 0 {
        #expect(try dump.memory.bytes(at: PhysicalAddress(0x8000), count: kept) == Array(contents[..<kept]))
      }
      let first = MemoryFault(.cutOff, at: PhysicalAddress(0x8000 + UInt64(kept)))
      #expect(throws: first) { try dump.memory.bytes(at: PhysicalAddress(0x8000), count: kept + 1) }
      #expect(throws: first) { try dump.memory.bytes(at: PhysicalAddress(0x8000), count: 8192) }
      #expect(dump.memory.absence(at: PhysicalAddress(0x9fff)) == .cutOff)
      #expect(dump.memory.absence(at: PhysicalAddress(0xa000)) == .notInDump)
      #expect(dump.summary.bytesCutOff == UInt64(8192 - kept))
      #expect(dump.warnings.count == 1)
    }
  }

  @Test("A sparse file of 2 TiB opens at once and reads at both ends")
  func huge() throws {
    let size: UInt64 = 2 << 40
    let offset: UInt64 = 1 << 20
    let last = [UInt8](repeating: 0xee, count: 4096)
    let core = CoreWriter(
      notes: [],
      [
        .init(0x40_0000_0000, [UInt8](little: 0x1234 as UInt64), offset: offset, fileSize: size - 4096),
        .init(0x40_0000_0000 + size - 4096, last, offset: offset + size - 4096),
      ])
    let clock = ContinuousClock()
    try withFile(core, size: offset + size) { (path: String) throws in
      let start = clock.now
      let dump = try DumpFile(path: path)
      let base = PhysicalAddress(0x40_0000_0000)
      #expect(try dump.memory.word(at: base) == 0x1234)
      #expect(try dump.memory.word(at: base &+ 8) == 0)
      #expect(try dump.memory.bytes(at: base &+ (size - 4096), count: 4096) == last)
      #expect(try dump.memory.bytes(at: base &+ (size - 4097), count: 2) == [0, 0xee])
      #expect(dump.memory.absence(at: base &+ size) == .notInDump)
      #expect(dump.memory.ranges == [base..<(base &+ size)])
      #expect(clock.now - start < .seconds(5))
    }
  }

  @Test("makedumpfile's mark of an incomplete dump is passed on")
  func incomplete() throws {
    var core = CoreWriter(notes: [], [.init(0x1000, [1])])
    try withDump(core) { #expect($0.warnings.isEmpty) }
    core.flags = 1
    try withDump(core) { #expect($0.warnings.count == 1) }
  }

  @Test("Segments that end inside of others neither hide them nor count twice")
  func insideOthers() throws {
    // There: 10000-2ffff; left out: around its start, within it and over its end. Seven more keep the map long.
    let size = 0x20000
    var core = CoreWriter(
      notes: [],
      [
        .init(0x10000, (0..<size).map { UInt8(truncatingIfNeeded: $0 >> 12) }),
        .init(0x8000, memorySize: 0x10000),
        .init(0x1a000, memorySize: 0x1000), .init(0x1c000, memorySize: 0x1000),
        .init(0x2f000, memorySize: 0x4000),
      ])
    for number in 0..<7 as Range<UInt64> {
      core.segments.append(.init(0x40000 + number * 0x2000, memorySize: 0x1000))
    }
    try withDump(core) { (dump: DumpFile) throws in
      for page in 0..<(size >> 12) {
        let address = PhysicalAddress(0x10000 + UInt64(page) << 12)
        #expect(try dump.memory.bytes(at: address, count: 4096) == Array(repeating: UInt8(page), count: 4096))
      }
      #expect(dump.memory.ranges.count == 8)
      #expect(dump.memory.ranges.first == PhysicalAddress(0x8000)..<PhysicalAddress(0x33000))
      #expect(dump.summary.bytesPresent == UInt64(size))
      #expect(dump.summary.bytesFiltered == 0x8000 + 0x3000 + 7 * 0x1000)
      #expect(dump.summary.bytesTotal == 0x2b000 + 7 * 0x1000)
    }
  }

  @Test("Segments at random, byte by byte against the plain rule", arguments: 0..<200)
  func random(_ seed: UInt64) throws {
    var generator = SplitMix(state: seed)
    // One memory of 256 bytes, which every segment tells a part of, as a true dump does.
    let base: UInt64 = 0xff00
    func content(_ address: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: address &* 0x9e37 >> 3) }
    var expected = [Absence?](repeating: .notInDump, count: 256)
    var segments: [CoreWriter.Segment] = []
    // There wins over cut off, that over left out.
    func mark(_ range: Range<UInt64>, _ absence: Absence?) {
      let order: [Absence?] = [nil, .cutOff, .filtered, .notInDump]
      func rank(_ absence: Absence?) -> Int { order.firstIndex(of: absence) ?? 0 }
      for address in range where address - base < 256 && rank(absence) < rank(expected[Int(address - base)]) {
        expected[Int(address - base)] = absence
      }
    }
    for _ in 0..<(seed % 2 == 0 ? 4 : 14) {
      let start = base + generator.next(below: 200)
      let stored = generator.next(below: 24)
      let tail = generator.next(below: 3) == 0 ? generator.next(below: 32) : 0
      let isCut = generator.next(below: 4) == 0
      segments.append(
        .init(
          start, isCut ? [] : (start..<(start + stored)).map(content), offset: isCut ? 1 << 30 : nil,
          fileSize: stored,
          memorySize: stored + tail))
      mark(start..<(start + stored), isCut ? .cutOff : nil)
      mark((start + stored)..<(start + stored + tail), .filtered)
    }
    try withDump(CoreWriter(notes: [], segments)) { (dump: DumpFile) throws in
      for (index, absence) in expected.enumerated() {
        let address = PhysicalAddress(base + UInt64(index))
        #expect(dump.memory.absence(at: address) == absence, "byte \(index) of \(segments)")
      }
      for index in 0..<(256 - 8) {
        let address = PhysicalAddress(base + UInt64(index))
        let word = Result { try dump.memory.word(at: address) }
        let missing = (index..<(index + 8)).first { expected[$0] != nil }
        if let missing {
          let fault = MemoryFault(expected[missing] ?? .lost, at: PhysicalAddress(base + UInt64(missing)))
          #expect(throws: fault) { try word.get() }
          #expect(throws: fault) { try dump.memory.bytes(at: address, count: 8) }
        } else {
          let bytes = (0..<8).map { content(address.rawValue + $0) }
          #expect(try word.get() == bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) })
          #expect(try dump.memory.bytes(at: address, count: 8) == bytes)
        }
      }
      let counts = [nil, .filtered, .cutOff].map { kind in UInt64(expected.count { $0 == kind }) }
      #expect([dump.summary.bytesPresent, dump.summary.bytesFiltered, dump.summary.bytesCutOff] == counts)
      var covered = Set<UInt64>()
      for range in dump.memory.ranges {
        covered.formUnion(range.lowerBound.rawValue..<range.upperBound.rawValue)
      }
      #expect(
        covered == Set(expected.indices.filter { expected[$0] != .notInDump }.map { base + UInt64($0) }))
    }
  }
}

/// Numbers that are the same in every run. (Vigna's splitmix64)
private struct SplitMix {
  var state: UInt64
  mutating func next(below limit: UInt64) -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return (value ^ value >> 31) % limit
  }
}

/// Calls `body` with the path of `core` written to a file, `size` bytes long where that is given.
func withFile(_ core: CoreWriter, size: UInt64? = nil, _ body: (String) throws -> Void) throws {
  try Scratch.withFolder { folder in
    let path = folder.appendingPathComponent("vmcore").path
    try core.write(to: path, size: size)
    try body(path)
  }
}

/// Calls `body` with `core`, opened.
func withDump(_ core: CoreWriter, size: UInt64? = nil, _ body: (DumpFile) throws -> Void) throws {
  try withFile(core, size: size) { try body(DumpFile(path: $0)) }
}

/// Why the word at `address` cannot be read, or nil.
func fault(_ dump: DumpFile, _ address: UInt64) -> MemoryFault? {
  do throws(MemoryFault) {
    _ = try dump.memory.word(at: PhysicalAddress(address))
    return nil
  } catch {
    return error
  }
}
