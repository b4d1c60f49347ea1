import Bytes
import CrashDump
import Foundation
import TestSupport
import Testing

/// Memory that says in other files, or in other places, where it lies.
@Suite struct XenAndFolderTests {
  private static let pages = (0..<6).map { contents(UInt64($0 + 1)) }

  @Test("A dump of Xen: pages in any order, one without a number, by either table", arguments: [true, false])
  func xen(_ isTranslated: Bool) throws {
    let frames: [UInt64] = [0x40000, 0x40001, 0x40005, .max, 0x40002, 0x80000]
    let file = XenCoreWriter.bytes(Array(zip(frames, Self.pages)), isTranslated: isTranslated)
    try withFiles(["dump": file]) { folder in
      let dump = try DumpFile(path: folder + "/dump")
      #expect(dump.summary.format == "ELF, of Xen")
      for (frame, page) in zip(frames, Self.pages) where frame != .max {
        #expect(dump.holds(page, at: frame << 12))
      }
      #expect(dump.holds(Self.pages[1] + Self.pages[4], at: 0x4000_1000))
      #expect(dump.reason(0x4000_3000) == .notInDump)
      #expect(dump.memory.ranges.map(\.lowerBound.rawValue) == [0x4000_0000, 0x4000_5000, 0x8000_0000])
    }
  }

  @Test("A dump of Xen that is cut short, of another machine, or with frames that cannot be")
  func damagedXen() throws {
    let pages = Array(zip([UInt64(0x40000), 0x40001], Self.pages))
    let whole = XenCoreWriter.bytes(pages)
    // Behind the pages are the numbers.
    #expect(try openingError(Array(whole.dropLast(8)))?.kind == .truncated)
    #expect(try openingError(XenCoreWriter.bytes(pages, machine: 62))?.message.contains("other than arm64") ?? false)
    let far = XenCoreWriter.bytes([(frame: 1 << 41, bytes: Self.pages[0])])
    #expect(try openingError(far)?.message.contains("cannot be") ?? false)
  }

  @Test("A part of a file at an address")
  func part() throws {
    let bytes = contents(7, size: 3 << 20)
    try withFiles(["a": bytes, "b[1,2]": bytes]) { folder in
      let dump = try DumpFile(path: "\(folder)/a[0x1000,0x10000]@0x40000000,\(folder)/a[200000,1000]@80000000")
      #expect(dump.holds(Array(bytes[0x1000..<0x11000]), at: 0x4000_0000))
      #expect(dump.holds(Array(bytes[0x20_0000..<0x20_1000]), at: 0x8000_0000))
      #expect(dump.reason(0x4001_0000) == .notInDump && dump.reason(0x3fff_f000) == .notInDump)
      // A file of that very name is meant.
      let named = try DumpFile(path: "\(folder)/b[1,2]@0x40000000")
      #expect(named.holds(bytes, at: 0x4000_0000))
      for (text, words) in [
        ("a[1]@0", "FILE[OFFSET,LENGTH]@ADDRESS"), ("a[0,0]@0", "the numbers in hex"),
        ("a[x,1]@0", "the numbers in hex"), ("a[0x2ff000,0x1001]@0", "ends before 0x300001"),
        ("a[ffffffffffffffff,2]@0", "ends before"),
      ] {
        let error = #expect(throws: LocatedError.self) { try DumpFile(path: "\(folder)/\(text)") }
        #expect(error?.message.contains(words) ?? false, "\(text): \(error?.message ?? "")")
      }
    }
  }

  @Test("A folder of RAM dumps with either list, the files of which lie where it says")
  func folder() throws {
    let first = contents(8, size: 1 << 20)
    let second = contents(9, size: (1 << 20) + 4096)
    let info = """
         Pref     Base            Size        Description        Filename
           1  0x0000000080000000  1048576  DDR CS0 part0 Memory  DDRCS0_0.BIN
           1  0x0000000014680000  16384    OCIMEM                OCIMEM.BIN
           1  0x0000000880000000  1052672  DDR CS1 part0 Memory  DDRCS1_0.BIN
      """
    let script = "if OS.FILE(DDRCS0_0.BIN)\n(\nd.load.binary DDRCS0_0.BIN 0x80000000 /noclear\n)\n"
    let files = ["DDRCS0_0.BIN": first, "DDRCS1_0.BIN": second, "OCIMEM.BIN": contents(3, size: 16384)]
    try withFiles(files.merging(["dump_info.txt": Array(info.utf8), "load.cmm": Array(script.utf8)]) { $1 }) { folder in
      let dump = try DumpFile(path: folder)
      #expect(dump.holds(first, at: 0x8000_0000) && dump.holds(second, at: 0x8_8000_0000))
      #expect(dump.memory.ranges.count == 2 && dump.summary.format == "raw")
    }
    try withFiles(files.merging(["load.cmm": Array(script.utf8)]) { $1 }) { folder in
      let dump = try DumpFile(path: folder)
      #expect(dump.holds(first, at: 0x8000_0000) && dump.memory.ranges.count == 1)
    }
    let short = files.merging(["DDRCS0_0.BIN": Array(first.dropLast()), "dump_info.txt": Array(info.utf8)]) { $1 }
    try withFiles(short) { folder in
      let error = #expect(throws: LocatedError.self) { try DumpFile(path: folder) }
      #expect(error?.message.contains("1048576 by the list") ?? false)
    }
  }
}
