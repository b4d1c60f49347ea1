import Bytes
import CrashDump
import TestSupport
import Testing
import VMSA

@Suite("Damaged kdump files") struct KdumpDamageTests {
  private static let good: [UInt64] = [4, 6]

  /// A file whose frame 5 is `page`, between two good ones.
  private static func around(_ page: KdumpWriter.Page) -> KdumpWriter {
    var writer = KdumpWriter(frameCount: 10, [5: page])
    for frame in good { writer.pages[frame] = .kept(contents(frame), .zstd) }
    return writer
  }

  /// Frame 5 fails as `absence`, alone.
  private func check(_ page: KdumpWriter.Page, _ absence: Absence, _ what: String) throws {
    try withDump(Self.around(page).bytes()) { dump in
      for _ in 0..<2 {
        #expect(dump.reason(5 << 12) == absence, "\(what)")
        for frame in Self.good { #expect(dump.holds(contents(frame), at: frame << 12), "\(what)") }
      }
      #expect(dump.fault((4 << 12) + 8, 2 << 12) == MemoryFault(absence, at: PhysicalAddress(5 << 12)), "\(what)")
      let seen = dump.scanned().memory
      #expect(seen == [4 << 12: contents(4), 6 << 12: contents(6)], "\(what)")
    }
  }

  @Test("A page that cannot be decoded fails alone", arguments: KdumpCodec.allCases.dropFirst())
  func badPage(_ codec: KdumpCodec) throws {
    let packed = codec.pack(contents(5))
    let noise = (0..<packed.count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
    try check(.stored(noise, flags: codec.flag), .damaged, "noise")
    try check(.stored(Array(packed.dropLast(packed.count / 2)), flags: codec.flag), .damaged, "half")
    try check(.stored([packed[0]], flags: codec.flag), .damaged, "one byte")
    try check(.stored(contents(5), flags: codec.flag), .damaged, "not packed")
  }

  @Test("So does one that makes too few or too many bytes", arguments: KdumpCodec.allCases)
  func wrongSize(_ codec: KdumpCodec) throws {
    for size in [8, 4088, 4104, 8192] {
      try check(.stored(codec.pack(contents(5, size: size)), flags: codec.flag), .damaged, "\(size) bytes")
    }
  }

  @Test("A hundred pages in less than two are not unpacked", arguments: KdumpCodec.allCases.filter { $0 != .raw })
  func bomb(_ codec: KdumpCodec) throws {
    // Nothing may be written past the page.
    let bomb = codec.pack(.zeros(codec == .snappy ? 100_000 : 400_000))
    #expect(bomb.count < 8192)
    try check(.stored(bomb, flags: codec.flag), .damaged, "a bomb")
  }

  @Test("Claims of gigabytes are not followed")
  func claims() throws {
    // snappy: the length in front is 0xffffffff.
    try check(.stored([0xff, 0xff, 0xff, 0xff, 0x0f] + .zeros(50), flags: 4), .damaged, "snappy")
    // zstd: a content size of 2^40; a window of 2^41.
    let frame: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0xe0] + [UInt8](little: UInt64(1) << 40) + .zeros(30)
    try check(.stored(frame, flags: 0x20), .damaged, "zstd")
    try check(.stored([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8] + .zeros(30), flags: 0x20), .damaged, "zstd window")
  }

  @Test("Flags that are not known, or too many of them")
  func flags() throws {
    let packed = KdumpCodec.zlib.pack(contents(5))
    try check(.stored(packed, flags: 0x40), .damaged, "unknown")
    try check(.stored(packed, flags: 3), .damaged, "zlib and LZO")
    try check(.stored(packed, flags: 0x27), .damaged, "all")
    try check(.stored(packed, flags: 0), .damaged, "raw, but short")
    // Other bits do not say how a page is packed.
    try withDump(Self.around(.stored(packed, flags: 0x8000_0001)).bytes()) { dump in
      #expect(dump.holds(contents(5), at: 5 << 12))
    }
  }

  @Test("Descriptors that point outside the file, or are of a size that cannot be")
  func descriptors() throws {
    for offset in [1 << 30, 1 << 62, UInt64(Int64.max), UInt64(Int64.max) + 1, .max, .max - 4095] as [UInt64] {
      for (size, flags) in [(4096, 0), (100, 1), (8192, 0x20)] as [(UInt32, UInt32)] {
        try check(.described(offset: offset, size: size, flags: flags), .cutOff, "\(offset) \(size)")
      }
    }
    for size in [0, 8193, 1 << 20, 1 << 31, UInt32.max] as [UInt32] {
      try check(.described(offset: 4096, size: size, flags: 1), .damaged, "\(size) bytes")
    }
  }

  @Test("A file cut anywhere: each page is right or cut off")
  func cut() throws {
    var writer = KdumpWriter(frameCount: 40)
    for frame in 0..<UInt64(32) {
      writer.pages[frame] = frame % 9 == 8 ? .zero : .kept(contents(frame), KdumpCodec.allCases[Int(frame % 5)])
    }
    let file = writer.bytes()
    let start = Int(writer.descriptorsOffset)
    for size in stride(from: start, to: file.count, by: 641) {
      try withDump(Array(file[..<size])) { dump in
        var missing = 0
        for frame in 0..<UInt64(32) {
          if let fault = dump.fault(frame << 12, 4096) {
            #expect(fault.absence == .cutOff)
            missing += 1
          } else {
            let expected: [UInt8] = frame % 9 == 8 ? .zeros(4096) : contents(frame)
            #expect(dump.holds(expected, at: frame << 12))
          }
        }
        #expect(missing > 0)
        #expect(dump.summary.bytesCutOff == UInt64(missing) << 12, "cut at \(size)")
        #expect(dump.warnings.contains { $0.text.contains("cut short") })
      }
    }
    for size in [0, 8, 11, 200, 463, 464, 4095, 4096, 4200, start - 1] {
      let error = try #require(try openingError(Array(file[..<size])))
      #expect(error.kind == .truncated, "\(size): \(error)")
    }
  }

  @Test("A header that cannot be: which field, and where")
  func header() throws {
    func expect(
      _ offset: UInt64, _ bytes: [UInt8], _ kind: LocatedError.Kind, at place: UInt64, _ words: String
    ) throws {
      var writer = KdumpTests.mixed()
      writer.patches = [(offset, bytes)]
      let error = try #require(try openingError(writer.bytes()), "\(words)")
      #expect(error.kind == kind && error.offset == place && error.message.contains(words), "\(error)")
    }
    func half(_ value: Int32) -> [UInt8] { [UInt8](little: value) }
    for version in [0, 7, 255, -1, 0x0600_0000] as [Int32] {
      try expect(8, half(version), .unsupported, at: 8, "header version")
    }
    for size in [0, 1, 3, 512, 4095, 4097, 1 << 21, .max, -1, -4096, .min] as [Int32] {
      try expect(428, half(size), .malformed, at: 428, "a block has \(size) bytes")
    }
    for blocks in [1 << 24, .max, -1] as [Int32] { try expect(432, half(blocks), .malformed, at: 432, "sub-header") }
    for blocks in [5000, 1 << 23] as [Int32] { try expect(432, half(blocks), .truncated, at: 436, "not all there") }
    try expect(436, half(0), .malformed, at: 436, "0 blocks of 4096 bytes for 300 page frames")
    for blocks in [1000, .max, -1] as [Int32] { try expect(436, half(blocks), .truncated, at: 436, "not all there") }
    // max_mapnr_64, at 96 of the sub-header.
    for frames in [UInt64.max, 1 << 63, 1 << 41] {
      try expect(4096 + 96, [UInt8](little: frames), .malformed, at: 4096 + 96, "page frames")
    }
    for frames in [1 << 40, 70_000] as [UInt64] {
      try expect(4096 + 96, [UInt8](little: frames), .malformed, at: 436, "\(frames) page frames")
    }
  }

  @Test("A number of frames, or a part, that cannot be")
  func frames() throws {
    var writer = KdumpTests.mixed()
    writer.version = 5
    for frames in [0, UInt32.max] {
      writer.patches = [(440, [UInt8](little: frames))]
      let error = try #require(try openingError(writer.bytes()))
      #expect(error.kind == .malformed && error.message.contains("\(frames) page frames"))
    }
    writer.version = 6
    writer.part = 10..<20
    for (start, end) in [(20, 10), (300, 400), (.max, 0)] as [(UInt64, UInt64)] {
      writer.patches = [(4096 + 80, [UInt8](little: start) + [UInt8](little: end))]
      let error = try #require(try openingError(writer.bytes()))
      #expect(error.kind == .malformed && error.message.contains("frames \(start) to \(end) of 300"))
    }
  }
}
