import CrashDump
import Foundation
import TestSupport
import Testing

/// LiME's `compress=1` and AVML's version 2: memory that is compressed as a whole, or in blocks.
@Suite struct PackedMemoryTests {
  /// Memory that compresses to about a half, with long repetitions and none.
  private static func memory(_ seed: UInt64, _ count: Int) -> [UInt8] {
    var random = SeededGenerator(seed: seed)
    var bytes: [UInt8] = []
    while bytes.count < count {
      switch Int.random(in: 0..<4, using: &random) {
      case 0: bytes += [UInt8](repeating: UInt8.random(in: 0...255, using: &random), count: 3000)
      case 1: bytes += (0..<2000).map { _ in UInt8.random(in: 0...255, using: &random) }
      case 2: bytes += Array("a text that comes again and again; ".utf8)
      default: bytes += Array(bytes.suffix(Int.random(in: 0...1500, using: &random)))
      }
    }
    return Array(bytes.prefix(count))
  }

  private static let first = memory(1, (5 << 20) + 4096)
  private static let second = memory(2, 3 << 20)
  private static let blocks: [(start: UInt64, contents: [UInt8])] = [(0x4000_0000, first), (0x8000_0000, second)]

  private func check(_ dump: DumpFile, format: String) {
    #expect(dump.summary.format == format && dump.warnings.isEmpty)
    #expect(dump.holds(Self.second, at: 0x8000_0000) && dump.holds(Self.first, at: 0x4000_0000))
    #expect(dump.reason(0x6000_0000) == .notInDump)
    // Here and there, backwards, across pieces.
    for place in stride(from: Self.first.count - 5000, to: 0, by: -70_001) {
      #expect(dump.holds(Array(Self.first[place..<(place + 5000)]), at: 0x4000_0000 + UInt64(place)), "\(place)")
    }
    var seen: [UInt64: [UInt8]] = [:]
    for (start, bytes) in dump.scanned().memory { seen[start] = bytes }
    #expect(seen.sorted { $0.key < $1.key }.flatMap(\.value) == Self.first + Self.second)
  }

  @Test("An AVML file of version 2, with chunks that are packed and stored, mapped and read", arguments: [true, false])
  func avml(_ isMapped: Bool) throws {
    try withFiles(["dump": AVMLWriter.bytes(Self.blocks, stored: [0, 7, 80])]) { folder in
      check(try DumpFile(path: folder + "/dump", cacheSize: 1 << 20, isMapped: isMapped), format: "AVML")
    }
  }

  @Test("A file of LiME that is one zlib stream, with its window and the largest", arguments: [Int32(11), 15])
  func lime(_ windowBits: Int32) throws {
    let plain = LiMEWriter(Self.blocks.map { .init($0.start, $0.contents) }).bytes()
    let packed = ZlibStream.packed(plain, windowBits: windowBits)
    // deflate(1)'s header of level 6: RFC 1950, 2.2.
    if windowBits == 11 { #expect(packed.prefix(2) == [0x38, 0x8d]) }
    try withFiles(["dump": packed]) { folder in
      check(try DumpFile(path: folder + "/dump", cacheSize: 4 << 20), format: "LiME, compressed")
      check(try DumpFile(path: folder + "/dump", isMapped: false), format: "LiME, compressed")
    }
  }

  @Test("A file that is cut short has what comes before")
  func cut() throws {
    let plain = LiMEWriter(Self.blocks.map { .init($0.start, $0.contents) }).bytes()
    for file in [AVMLWriter.bytes(Self.blocks), ZlibStream.packed(plain)] {
      try withDump(Array(file.prefix(file.count / 3))) { dump in
        #expect(dump.holds(Array(Self.first.prefix(1 << 20)), at: 0x4000_0000))
        #expect(dump.reason(0x4000_0000 + UInt64(Self.first.count) - 8) == .cutOff)
        #expect(dump.warnings.contains { $0.text.contains("cut short") })
      }
    }
  }

  @Test("A chunk whose checksum does not fit is damaged, and those beside it are not")
  func damaged() throws {
    var file = AVMLWriter.bytes(Self.blocks, stored: [1])
    // A byte of a stored chunk, which unpacking alone would not notice, is not checked; one of a packed chunk is.
    let place = try #require((0..<file.count - 8).first { Array(file[$0..<($0 + 6)]) == Array("sNaPpY".utf8) }) + 20
    file[place] ^= 1
    try withDump(file) { dump in
      #expect(dump.fault(0x4000_0000)?.absence == .damaged)
      #expect(dump.holds(Array(Self.first[0x10000..<0x30000]), at: 0x4001_0000))
    }
  }

  @Test("Headers that do not fit each other are named")
  func malformed() throws {
    let whole = AVMLWriter.bytes([(0x4000_0000, Array(Self.second.prefix(1 << 17)))])
    func error(_ change: (inout [UInt8]) -> Void) throws -> String {
      var file = whole
      change(&file)
      return try openingError(file)?.message ?? ""
    }
    #expect(try error { $0[$0.count - 8] ^= 1 }.contains("not as long as it says"))
    #expect(try error { $0[32 + 10] = 7 }.contains("chunk of type 7"))
    // Fewer bytes than a chunk has.
    #expect(
      try error {
        $0[18] = 0; $0[17] = 1; $0[16] = 0
      }.contains("more memory than its block"))
    #expect(try error { $0[4] = 3 }.contains("version other than 2"))
    #expect(
      try error {
        $0.append(contentsOf: [1]); $0.append(contentsOf: [UInt8].zeros(40))
      }.contains("no header"))
    let padded = ZlibStream.packed(.zeros(1 << 16) + Array(Self.second.prefix(4096)))
    #expect(try openingError(padded)?.message.contains("zlib and not in LiME's own format") ?? false)
  }
}
