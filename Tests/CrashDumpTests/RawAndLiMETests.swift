import Bytes
import CrashDump
import Foundation
import TestSupport
import Testing
import VMSA

@Suite("Raw memory") struct RawTests {
  /// Files of sizes that are no multiple of anything, each with contents of its own.
  private static let first = contents(1, size: (1 << 20) + 4096 + 512)
  private static let second = contents(2, size: (1 << 20) + 8192)
  private static let files = ["a": first, "b": second]

  private func dump(_ folder: String, _ pieces: String...) throws -> DumpFile {
    try DumpFile(path: pieces.map { "\(folder)/\($0)" }.joined(separator: ","))
  }

  @Test("One file, its address in hex with or without 0x")
  func one() throws {
    try withFiles(Self.files) { folder in
      for address in ["0x40000000", "40000000", "0X40000000"] {
        let dump = try dump(folder, "a@\(address)")
        #expect(dump.summary.format == "raw")
        #expect(dump.holds(Self.first, at: 0x4000_0000))
        #expect(dump.reason(0x3fff_fff8) == .notInDump)
        let end = 0x4000_0000 + UInt64(Self.first.count)
        #expect(dump.fault(0x4000_0000, Self.first.count + 1) == MemoryFault(.notInDump, at: PhysicalAddress(end)))
        #expect(!dump.isAddressUnknown && dump.warnings.isEmpty)
      }
    }
  }

  @Test("Two files with a hole between them, in either order")
  func hole() throws {
    try withFiles(Self.files) { folder in
      for dump in [try dump(folder, "a@0x40000000", "b@0x80000000"), try dump(folder, "b@80000000", "a@40000000")] {
        #expect(dump.holds(Self.first, at: 0x4000_0000))
        #expect(dump.holds(Self.second, at: 0x8000_0000))
        #expect(dump.reason(0x6000_0000) == .notInDump)
        #expect(dump.memory.ranges.map(\.lowerBound.rawValue) == [0x4000_0000, 0x8000_0000])
        #expect(dump.summary.bytesPresent == UInt64(Self.first.count + Self.second.count))
      }
    }
  }

  @Test("Two files that adjoin are read across their border, and searched wholly")
  func adjoining() throws {
    let memory = Self.first + Self.second
    let base: UInt64 = 0x4000_0000
    let middle = "0x" + String(base + UInt64(Self.first.count), radix: 16)
    try withFiles(Self.files) { folder in
      for dump in [try dump(folder, "a@\(base.hex)", "b@\(middle)"), try dump(folder, "b@\(middle)", "a@\(base.hex)")] {
        #expect(dump.holds(memory, at: base))
        let border = Self.first.count
        #expect(dump.holds(Array(memory[(border - 3)..<(border + 4)]), at: base + UInt64(border) - 3))
        #expect(dump.word(base + UInt64(border) - 8) == KdumpTests.word(memory, border - 8))
        // However it is cut into pieces, all of it is shown, once.
        let pieces = dump.scanned().memory.sorted { $0.key < $1.key }
        let isWhole = pieces.flatMap(\.value) == memory
        #expect(isWhole)
        var next = base
        for piece in pieces {
          #expect(piece.key == next)
          next += UInt64(piece.value.count)
        }
      }
    }
    // A word that lies in both.
    try withFiles(["a": Array(memory[..<1001]), "b": Array(memory[1001..<2000])]) { folder in
      let dump = try dump(folder, "a@1000", "b@13e9")
      #expect(dump.word(0x1000 + 1000) == KdumpTests.word(memory, 1000))
      #expect(dump.holds(Array(memory[..<2000]), at: 0x1000))
    }
  }

  @Test("Where two files overlap, one of them counts, and no byte is made up")
  func overlapping() throws {
    try withFiles(Self.files) { folder in
      let dump = try dump(folder, "a@0x40000000", "b@0x40001000")
      #expect(dump.holds(Self.first, at: 0x4000_0000))
      let end = 0x4000_1000 + UInt64(Self.second.count)
      let rest = end - 0x4000_0000 - UInt64(Self.first.count)
      #expect(dump.holds(Array(Self.second.suffix(Int(rest))), at: end - rest))
      #expect(dump.fault(end - 8, 16)?.address.rawValue == end)
      let overlap = "0x40001000-\((0x4000_0000 + UInt64(Self.first.count)).hex)"
      #expect(dump.warnings.count == 1)
      let warning = try #require(dump.warnings.first).text
      #expect(warning.hasPrefix("\(overlap) is in two parts whose bytes differ, at 0x40001000 first: "))
      #expect(warning.contains("/a at 0x40000000-") && warning.contains("/b at 0x40001000-"))
    }
    // What both have is no contradiction, but one byte that differs is, wherever it is.
    var other = Array(Self.first.dropFirst(8192)) + [1, 2, 3]
    try withFiles(["a": Self.first, "b": other]) { folder in
      let warnings = try dump(folder, "a@0x40000000", "b@0x40002000").warnings
      #expect(warnings.isEmpty)
    }
    other[Self.first.count - 8192 - 1] ^= 0x80
    try withFiles(["a": Self.first, "b": other]) { folder in
      let place = (0x4000_2000 + UInt64(Self.first.count - 8192 - 512)).hex
      let warnings = try dump(folder, "b@0x40002000", "a@0x40000000").warnings
      #expect(warnings.count == 1 && warnings[0].text.contains("at \(place) first"), "\(warnings)")
    }
  }

  @Test("Addresses that are none, or beyond 52 bits")
  func addresses() throws {
    try withFiles(Self.files) { folder in
      func error(_ piece: String) -> LocatedError? { openingError(path: "\(folder)/\(piece)") }
      for text in ["", "0x", "x40000000", "-1", "+1", "4 0", "0x1ffffffffffffffff", "zz", "0x0x1"] {
        let error = try #require(error("a@\(text)"), "\(text)")
        #expect(error.kind == .malformed && error.message.contains("FILE@ADDRESS"), "\(error)")
      }
      for text in ["0x10000000000000", "ffffffffffffffff", "0xffffffffff000"] {
        #expect(error("a@\(text)")?.kind == .malformed, "\(text)")
      }
      #expect(try dump(folder, "a@0xffffffef00000").word(0xf_ffff_fef0_0000) == KdumpTests.word(Self.first, 0))
      #expect(error("nothing@0x1000")?.kind == .system(2))
      #expect(error("a@0x1000,\(folder)/b")?.kind == .system(2))
    }
  }

  @Test("A file of no format with VMCOREINFO in it is raw memory of unknown place, which can be given one")
  func unknownPlace() throws {
    var memory = contents(9, size: 2 << 20)
    memory.replaceSubrange(0x9000..<0x9012, with: Array("OSRELEASE=6.1\nX=1\n".utf8))
    try withDump(memory) { dump in
      #expect(dump.isAddressUnknown)
      #expect(dump.holds(memory, at: 0))
      let placed = try dump.placed(at: PhysicalAddress(0x8000_0000))
      #expect(!placed.isAddressUnknown && placed.warnings.count == 1)
      #expect(placed.holds(memory, at: 0x8000_0000))
      #expect(placed.reason(0) == .notInDump)
      #expect(throws: LocatedError.self) { try dump.placed(at: PhysicalAddress(.max)) }
    }
    // The same bytes elsewhere than at a page start tell nothing.
    memory = contents(9, size: 2 << 20)
    memory.replaceSubrange(0x9001..<0x9013, with: Array("OSRELEASE=6.1\nX=1\n".utf8))
    let error = try #require(try openingError(memory))
    #expect(error.kind == .unsupported && error.message.contains("@ADDRESS"))
    try withFiles(["vmcore": LiMEWriter([.init(0, memory)]).bytes()]) { folder in
      let dump = try DumpFile(path: folder + "/vmcore")
      #expect(throws: LocatedError.self) { try dump.placed(at: PhysicalAddress(0)) }
    }
  }
}

@Suite("LiME files") struct LiMETests {
  private static let ranges: [LiMEWriter.Range] = [
    .init(0x4000_0000, contents(1, size: 3 << 12)), .init(0x8000_0000, [0x5a]), .init(0x9000_0000, contents(2)),
  ]

  @Test("Ranges in any order, of any size")
  func ranges() throws {
    for order in [[0, 1, 2], [2, 0, 1]] {
      try withDump(LiMEWriter(order.map { Self.ranges[$0] }).bytes()) { dump in
        #expect(dump.summary.format == "LiME")
        for range in Self.ranges { #expect(dump.holds(range.contents, at: range.start)) }
        #expect(dump.reason(0x4000_3000) == .notInDump)
        #expect(dump.fault(0x8000_0000, 2) == MemoryFault(.notInDump, at: PhysicalAddress(0x8000_0001)))
        #expect(dump.memory.ranges.map(\.lowerBound.rawValue) == [0x4000_0000, 0x8000_0000, 0x9000_0000])
        #expect(dump.summary.bytesPresent == (4 << 12) + 1)
        #expect(dump.warnings.isEmpty)
        let scanned = dump.scanned().memory
        #expect(scanned == Dictionary(uniqueKeysWithValues: Self.ranges.map { ($0.start, $0.contents) }))
      }
    }
  }

  @Test("A file cut short says what is missing")
  func cut() throws {
    let file = LiMEWriter(Self.ranges).bytes()
    try withDump(Array(file.dropLast(96))) { dump in
      #expect(dump.holds(Array(contents(2).prefix(4000)), at: 0x9000_0000))
      #expect(dump.fault(0x9000_0000, 4001) == MemoryFault(.cutOff, at: PhysicalAddress(0x9000_0fa0)))
      #expect(dump.reason(0x9000_0ff8) == .cutOff)
      #expect(dump.summary.bytesCutOff == 96)
      #expect(dump.warnings.first?.text.contains("96 bytes") == true)
    }
    #expect(try openingError(Array(file.prefix(31)))?.kind == .truncated)
  }

  @Test("Zeros behind the last range are told, and all ranges are read", arguments: [1, 31, 32, 512, 100_000])
  func trailing(_ count: Int) throws {
    try withDump(LiMEWriter(Self.ranges).bytes() + .zeros(count)) { dump in
      for range in Self.ranges { #expect(dump.holds(range.contents, at: range.start)) }
      #expect(dump.warnings.map(\.text) == ["\(count) bytes behind its last range belong to none; they are ignored"])
    }
    let damaged = LiMEWriter(Self.ranges).bytes() + .zeros(count) + [1] + .zeros(40)
    #expect(try openingError(damaged)?.kind == .malformed)
  }

  @Test("Ranges that overlap and differ are told")
  func overlapping() throws {
    let ranges: [LiMEWriter.Range] = [
      .init(0x4000_0000, contents(1, size: 3 << 12)), .init(0x4000_2000, contents(2, size: 2 << 12)),
    ]
    try withDump(LiMEWriter(ranges).bytes()) { dump in
      #expect(dump.holds(ranges[0].contents, at: 0x4000_0000))
      let warning = try #require(dump.warnings.first).text
      #expect(warning.contains("0x40002000-0x40003000 is in two parts whose bytes differ"))
      #expect(
        warning.contains("the range 0x40000000-0x40003000") && warning.contains("the range 0x40002000-0x40004000"))
    }
    let same: [LiMEWriter.Range] = [ranges[0], .init(0x4000_2000, Array(ranges[0].contents.suffix(4096)))]
    try withDump(LiMEWriter(same).bytes()) { dump in #expect(dump.warnings.isEmpty) }
  }

  @Test("Headers that cannot be")
  func headers() throws {
    func error(_ change: (inout LiMEWriter.Range) -> Void) throws -> LocatedError? {
      var ranges = Self.ranges
      change(&ranges[1])
      return try openingError(LiMEWriter(ranges).bytes())
    }
    let at = UInt64(32 + Self.ranges[0].contents.count)
    #expect(try error { $0.magic = 0x4c69_4d46 }?.offset == at)
    #expect(try error { $0.version = 2 }?.kind == .unsupported)
    #expect(try error { $0.last = 0x7fff_ffff }?.kind == .malformed)
    #expect(try error { $0.last = .max }?.kind == .malformed)
    #expect(try error { ($0.start, $0.last) = (0, .max) }?.kind == .malformed)
    #expect(try error { ($0.start, $0.last) = (.max, 0) }?.kind == .malformed)
    // Longer than the file: all that follows is taken for its contents.
    let file = LiMEWriter([.init(0x1000, contents(1), last: 0x1000 + (1 << 50))]).bytes()
    try withDump(file) { dump in
      #expect(dump.holds(contents(1), at: 0x1000))
      #expect(dump.reason(0x2000) == .cutOff)
    }
  }
}

extension UInt64 {
  /// In hex with 0x.
  var hex: String { "0x" + String(self, radix: 16) }
}
