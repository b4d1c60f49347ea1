import Bytes
import CrashDump
import TestSupport
import Testing
import VMSA

@Suite("Split dumps") struct SplitTests {
  /// Frames 0 to 99 in three parts: kept ones, zeros, filtered and lost ones in each.
  private static func parts(version: UInt32 = 6) -> [KdumpWriter] {
    var writer = KdumpWriter(frameCount: 100)
    writer.version = version
    writer.vmcoreinfo = "OSRELEASE=split\n"
    for frame in 0..<UInt64(100) where frame % 10 != 9 {
      writer.pages[frame] =
        switch frame % 10 {
        case 6: .zero
        case 7: .filtered
        case 8: .lost
        default: .kept(contents(frame), KdumpCodec.allCases[Int(frame % 5)])
        }
    }
    return ([0..<33, 33..<71, 71..<100] as [Range<UInt64>]).map { range in
      var part = writer
      part.part = range
      return part
    }
  }

  /// The files of all parts, `vmcore1` to `vmcore3`.
  private static func files(_ parts: [KdumpWriter]) -> [String: [UInt8]] {
    Dictionary(uniqueKeysWithValues: parts.enumerated().map { ("vmcore\($0 + 1)", $1.bytes()) })
  }

  private func names(_ folder: String, _ numbers: [Int]) -> String {
    numbers.map { "\(folder)/vmcore\($0)" }.joined(separator: ",")
  }

  @Test("Each way of naming them", arguments: 2...6)
  func naming(_ version: Int) throws {
    let parts = Self.parts(version: UInt32(version))
    var whole = parts[0]
    whole.part = nil
    try withFiles(Self.files(parts)) { folder in
      for path in [
        names(folder, [1, 2, 3]), names(folder, [3, 1, 2]), folder, folder + "/", names(folder, [1]),
        names(folder, [2]), names(folder, [3]),
      ] {
        let dump = try DumpFile(path: path)
        try KdumpTests.check(dump, whole)
        #expect(dump.warnings.isEmpty)
        #expect(dump.notes.vmcoreinfo == (version >= 3 ? Array("OSRELEASE=split\n".utf8) : nil))
        #expect(dump.summary.format == "kdump-compressed, header version \(version), 3 parts of a split dump")
        // 60 kept, 10 of zeros; 10 filtered, 10 lost.
        #expect(dump.summary.bytesPresent == 70 << 12)
        #expect(dump.summary.bytesZero == 10 << 12)
        #expect(dump.summary.bytesLost == 10 << 12)
        #expect(dump.summary.bytesFiltered == 10 << 12)
        #expect(dump.summary.bytesTotal == 90 << 12)
      }
    }
  }

  @Test("Reads across the border of two parts, small and large")
  func border() throws {
    var writer = KdumpWriter(frameCount: 200)
    var memory: [UInt8] = []
    for frame in 0..<UInt64(200) {
      writer.pages[frame] = .kept(contents(frame), .snappy)
      memory += contents(frame)
    }
    let parts = ([0..<90, 90..<91, 91..<200] as [Range<UInt64>]).map { range in
      var part = writer
      part.part = range
      return part
    }
    try withFiles(Self.files(parts)) { folder in
      let dump = try DumpFile(path: folder)
      for (start, count) in [
        ((90 << 12) - 4, 8), ((91 << 12) - 1, 2), (89 << 12, 3 << 12), (100, 199 << 12), (0, 200 << 12),
      ] {
        #expect(dump.holds(Array(memory[start..<(start + count)]), at: UInt64(start)), "\(count) from \(start)")
      }
      #expect(dump.fault(0, (200 << 12) + 1) == MemoryFault(.notInDump, at: PhysicalAddress(200 << 12)))
    }
  }

  @Test("A part that is missing is named", arguments: [1, 2, 3])
  func missing(_ number: Int) throws {
    let parts = Self.parts()
    let given = [1, 2, 3].filter { $0 != number }
    let range = ["0x0-0x21000", "0x21000-0x47000", "0x47000-0x64000"][number - 1]
    let advice = "the part of this split dump that holds \(range) was not given"
    try withFiles(Self.files(parts).filter { $0.key != "vmcore\(number)" }) { folder in
      for path in [names(folder, given), folder, names(folder, [given[0]]), names(folder, [given[1]])] {
        let dump = try DumpFile(path: path)
        #expect(dump.warnings.map(\.text) == [advice])
        for frame in 0..<UInt64(100) where frame % 10 < 6 {
          if parts[number - 1].part?.contains(frame) == true {
            #expect(dump.reason(frame << 12) == .inMissingPart)
            let page = "page 0x\(String(frame << 12, radix: 16))"
            #expect(
              dump.fault(frame << 12).map(dump.describe)
                == "\(page) is in the part of this split dump that holds \(range), which was not given")
          } else {
            #expect(dump.holds(contents(frame), at: frame << 12))
          }
        }
        // No memory was here, whichever part is asked.
        for frame in 0..<UInt64(100) where frame % 10 == 9 { #expect(dump.reason(frame << 12) == .notInDump) }
      }
    }
  }

  @Test("Parts that makedumpfile had no pages left for are empty, at the end of all frames, and may be several")
  func emptyParts() throws {
    var parts = Self.parts()
    var whole = parts[0]
    whole.part = nil
    for _ in 0..<2 {
      parts.append(parts[0])
      parts[parts.count - 1].part = 100..<100
    }
    try withFiles(Self.files(parts)) { folder in
      for path in [names(folder, [1, 2, 3, 4, 5]), names(folder, [5, 2, 1, 4, 3]), folder, names(folder, [4])] {
        let dump = try DumpFile(path: path)
        try KdumpTests.check(dump, whole)
        #expect(dump.warnings.isEmpty, "\(dump.warnings)")
        #expect(dump.summary.bytesZero == 10 << 12)
      }
    }
    // An empty part by itself holds nothing, and what it lacks is named.
    try withFiles(Self.files(parts).filter { $0.key == "vmcore4" }) { folder in
      let dump = try DumpFile(path: folder + "/vmcore4")
      #expect(dump.reason(4 << 12) == .inMissingPart)
      #expect(dump.warnings.map(\.text) == ["the part of this split dump that holds 0x0-0x64000 was not given"])
    }
  }

  @Test("Two parts that are missing, side by side and apart")
  func manyMissing() throws {
    try withFiles(Self.files(Self.parts()).filter { $0.key == "vmcore2" }) { folder in
      let dump = try DumpFile(path: names(folder, [2]))
      #expect(dump.warnings.count == 2)
      #expect(dump.fault(0).map(dump.describe)?.contains("0x0-0x21000") == true)
      #expect(dump.fault(80 << 12).map(dump.describe)?.contains("0x47000-0x64000") == true)
      #expect(dump.holds(contents(40), at: 40 << 12))
    }
    try withFiles(Self.files(Self.parts()).filter { $0.key == "vmcore1" }) { folder in
      let dump = try DumpFile(path: folder)
      #expect(dump.warnings.map(\.text) == ["the part of this split dump that holds 0x21000-0x64000 was not given"])
    }
  }

  @Test("A filtered page names the dump level, as in a dump of one file")
  func filtered() throws {
    try withFiles(Self.files(Self.parts())) { folder in
      let dump = try DumpFile(path: folder)
      let text = dump.fault(17 << 12).map(dump.describe)
      #expect(text == "page 0x11000 was filtered out of this dump (dump level 31)")
    }
  }

  @Test("Parts of another dump are refused where they are named, and left alone where not")
  func strangers() throws {
    for change in 0..<4 {
      var parts = Self.parts()
      switch change {
      case 0: parts[1].nodename = "other"
      case 1: parts[1].timestamp += 1
      case 2: parts[1].frameCount = 101
      default: parts[1].blockSize = 8192
      }
      try withFiles(Self.files(parts)) { folder in
        let error = try #require(openingError(path: names(folder, [1, 2, 3])))
        #expect(error.kind == .mismatch && error.file.hasSuffix("vmcore2"), "\(error)")
        #expect(error.message.contains("another dump"))
        #expect(openingError(path: folder)?.kind == .mismatch)
        if change == 3 {
          // By its name, time and frames it is a part of this dump; its block size contradicts the others.
          #expect(openingError(path: names(folder, [1]))?.kind == .mismatch)
        } else {
          let dump = try DumpFile(path: names(folder, [1]))
          #expect(dump.reason(40 << 12) == .inMissingPart)
          #expect(dump.holds(contents(80), at: 80 << 12))
        }
      }
    }
  }

  @Test("The same part twice, a whole dump among them, and what is no dump")
  func notParts() throws {
    var files = Self.files(Self.parts())
    files["again"] = files["vmcore1"]
    var whole = Self.parts()[0]
    whole.part = nil
    files["whole"] = whole.bytes()
    files["text"] = Array("hello\n".utf8)
    try withFiles(files) { folder in
      func error(_ names: [String]) -> LocatedError? {
        openingError(path: names.map { folder + "/" + $0 }.joined(separator: ","))
      }
      for names in [["vmcore1", "vmcore1"], ["vmcore1", "vmcore2", "vmcore3", "again"]] {
        let error = try #require(error(names))
        #expect(error.kind == .mismatch && error.message.contains("the same pages"), "\(error)")
      }
      let alone = try #require(error(["vmcore1", "whole"]))
      #expect(alone.kind == .mismatch && alone.message.contains("no part of a split dump"))
      #expect(error(["vmcore1", "text"])?.kind == .mismatch)
      #expect(error(["vmcore1", "nothing"])?.kind == .system(2))
      #expect(error(["vmcore1", ""])?.kind != nil)
    }
    try withFiles(["text": Array("hello\n".utf8), "whole": whole.bytes()]) { folder in
      let error = try #require(openingError(path: folder))
      #expect(error.kind == .unsupported && error.message.contains("directory"))
    }
  }

  @Test("Parts that are flattened, each by itself")
  func flattened() throws {
    let parts = Self.parts()
    var whole = parts[0]
    whole.part = nil
    var files = Self.files(parts)
    for number in [1, 3] {
      files["vmcore\(number)"] = FlattenedWriter(parts[number - 1].bytes(), recordSize: 3000).bytes()
    }
    try withFiles(files) { folder in
      for path in [folder, names(folder, [1]), names(folder, [2]), names(folder, [1, 2, 3])] {
        try KdumpTests.check(try DumpFile(path: path), whole)
      }
    }
  }
}
