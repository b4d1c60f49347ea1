import Bytes
import CrashDump
import Foundation
import TestSupport
import Testing
import VMSA

@testable import class CrashDump.FlattenedFile

@Suite("Flattened files") struct FlattenedTests {
  private typealias Record = FlattenedWriter.Record

  /// What kva makes of a flattened file: its bytes, and the error where it is none.
  private func unflattened(_ writer: FlattenedWriter, cutTo size: Int? = nil) throws -> [UInt8]? {
    let file = writer.bytes()
    return try withFiles(["flat": Array(file[..<(size ?? file.count)])]) { folder in
      let flat = try FlattenedFile(.mapped(MappedFile(path: folder + "/flat")))
      return flat.bytes(0..<flat.byteCount, limit: 1 << 30)
    }
  }

  private func error(_ writer: FlattenedWriter, cutTo size: Int? = nil) -> LocatedError? {
    do {
      _ = try unflattened(writer, cutTo: size)
      return nil
    } catch {
      return error as? LocatedError
    }
  }

  @Test("A kdump in records of many sizes", arguments: [1000, 4096, 65536, 1 << 20])
  func kdump(_ size: Int) throws {
    let writer = KdumpTests.mixed()
    try withDump(FlattenedWriter(writer.bytes(), recordSize: size).bytes()) { dump in
      try KdumpTests.check(dump, writer)
      #expect(dump.summary.format == "kdump-compressed, flattened, header version 6")
      #expect(dump.notes.vmcoreinfo == Array("OSRELEASE=note\n".utf8))
      #expect(dump.warnings.isEmpty)
    }
  }

  @Test("A kdump as it was written, with holes between the records")
  func holes() throws {
    let writer = KdumpTests.mixed()
    var flat = FlattenedWriter(writer.pieces().map { Record(Int64($0.offset), $0.bytes) })
    try withDump(flat.bytes()) { dump in try KdumpTests.check(dump, writer) }
    flat.records.reverse()
    try withDump(flat.bytes()) { dump in try KdumpTests.check(dump, writer) }
  }

  @Test("A bitmap with holes: what was not written is zeros")
  func sparseBitmap() throws {
    var writer = KdumpWriter(frameCount: 1 << 25)
    for frame in [3, 70_000, (1 << 24) + 5, (1 << 25) - 1] as [UInt64] {
      writer.pages[frame] = .kept(contents(frame), .lzo)
    }
    let flat = FlattenedWriter(writer.pieces().map { Record(Int64($0.offset), $0.bytes) })
    try withDump(flat.bytes()) { dump in
      for frame in writer.pages.keys { #expect(dump.holds(contents(frame), at: frame << 12), "\(frame)") }
      #expect(dump.reason(4 << 12) == .notInDump)
      #expect(dump.reason(1 << 35) == .notInDump)
    }
  }

  @Test("An ELF core")
  func core() throws {
    let memory = contents(1) + contents(2) + contents(3)
    let core = CoreWriter(
      notes: CoreWriter.vmcoreinfo("OSRELEASE=x\n"), [.init(0x4000_0000, memory, memorySize: 1 << 20)])
    for size in [64, 1000, 1 << 20] {
      var flat = FlattenedWriter(core.bytes(), recordSize: size)
      try withDump(flat.bytes()) { dump in
        #expect(dump.summary.format == "ELF, flattened")
        #expect(dump.holds(memory, at: 0x4000_0000))
        #expect(dump.word(0x4000_0ff8) == KdumpTests.word(memory, 0xff8))
        #expect(dump.reason(0x4000_3000) == .filtered)
        #expect(dump.notes.vmcoreinfo == Array("OSRELEASE=x\n".utf8))
        #expect(dump.warnings.isEmpty)
      }
      // Where it was cut, memory is missing at its end, and what is there stays right.
      let cut = Array(flat.bytes().dropLast(16 + 5000))
      try withDump(cut) { dump in
        #expect(dump.holds(contents(1), at: 0x4000_0000))
        #expect(dump.reason(0x4000_2ff8) == .cutOff)
        #expect(dump.warnings.contains { $0.text.contains("cut short") })
      }
      flat.hasEndMark = false
      try withDump(flat.bytes()) { dump in
        #expect(dump.holds(memory, at: 0x4000_0000))
        #expect(dump.warnings.contains { $0.text.contains("cut short") })
      }
    }
  }

  @Test("Later records win: byte by byte as a replay makes it", arguments: 0..<60)
  func random(_ seed: Int) throws {
    var generator = SeededGenerator(seed: UInt64(seed))
    let extent = [200, 5000, 100_000][seed % 3]
    var records = (0..<Int(generator.next() % 120 + 1)).map { _ in
      let size = Int(generator.next() % UInt64(extent / (seed % 2 == 0 ? 4 : 40) + 1))
      return Record(Int64(generator.next() % UInt64(extent)), generator.bytes(size))
    }
    // Writes to the same place, of the same and of another length.
    for record in records.prefix(10) {
      records.append(Record(record.offset, generator.bytes(record.data.count)))
      records.append(Record(record.offset, generator.bytes(record.data.count / 2)))
    }
    records.shuffle(using: &generator)
    records.append(Record(3, [1]))
    let expected = FlattenedWriter.replay(records)
    try withFiles(["flat": FlattenedWriter(records).bytes()]) { folder in
      let flat = try FlattenedFile(.mapped(MappedFile(path: folder + "/flat")))
      #expect(flat.byteCount == UInt64(expected.count))
      #expect(flat.bytes(0..<flat.byteCount, limit: 1 << 30) == expected)
      let starts = (0..<200).map { _ in Int(generator.next() % UInt64(expected.count)) }
      let wrong = starts.filter { start in
        let end = min(expected.count, start + Int(generator.next() % 300))
        let word = start + 8 <= expected.count ? KdumpTests.word(expected, start) : nil
        return flat.bytes(UInt64(start)..<UInt64(end), limit: 300) != Array(expected[start..<end])
          || flat.word(at: UInt64(start)) != word
      }
      #expect(wrong.isEmpty)
      #expect(flat.bytes(0..<(flat.byteCount + 1), limit: 1 << 30) == nil)
      #expect(flat.word(at: flat.byteCount) == nil && flat.word(at: .max) == nil)
    }
  }

  @Test("What a cut file does not have is not zeros")
  func cut() throws {
    let writer = FlattenedWriter([Record(0, [1, 2, 3, 4]), Record(8, [9, 9]), Record(4, [5, 6, 7, 8])])
    #expect(try unflattened(writer) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9])
    let size = writer.bytes().count
    // Without the end mark, with half of it, within the last data, within the last header.
    #expect(try unflattened(writer, cutTo: size - 16) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9])
    #expect(try unflattened(writer, cutTo: size - 8) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9])
    #expect(try unflattened(writer, cutTo: size - 18) == nil)
    #expect(try unflattened(writer, cutTo: size - 25) == nil)
    let kdump = KdumpTests.mixed()
    var flat = FlattenedWriter(kdump.pieces().map { Record(Int64($0.offset), $0.bytes) })
    flat.hasEndMark = false
    try withDump(flat.bytes()) { dump in
      #expect(dump.holds(contents(2), at: 2 << 12))
      #expect(dump.warnings.contains { $0.text.contains("cut short") })
    }
  }

  @Test("A kdump whose bitmap was cut away is refused: no count of bits would be right")
  func lostBitmap() throws {
    let kdump = KdumpTests.mixed()
    var flat = FlattenedWriter(kdump.bytes(), recordSize: 4096)
    flat.hasEndMark = false
    // The second bitmap; what lies behind it came earlier.
    flat.records.removeAll { $0.offset == Int64(kdump.descriptorsOffset - 4096) }
    let error = try #require(try openingError(flat.bytes()))
    #expect(error.kind == .truncated, "\(error)")
  }

  @Test("Hostile records")
  func hostile() throws {
    let good = Record(0, [1, 2, 3])
    for (offset, size) in [
      (-2, 4), (0, -1), (-1, 0), (.min, 1), (0, .min), (.max, 1), (.max - 3, 8), (-1, -2), (5, -4096),
    ] as [(Int64, Int64)] {
      let error = error(FlattenedWriter([good, Record(offset, [0, 0, 0, 0], size: size)]))
      #expect(error?.kind == .malformed && error?.offset == 4096 + 19, "\(offset) \(size)")
    }
    // A size beyond the end of the file: what is there counts.
    #expect(try unflattened(FlattenedWriter([good, Record(3, [4], size: 1 << 50)]))?.prefix(4) == [1, 2, 3, 4])
    // Records of nothing, at any place, change nothing.
    let empty = (0..<100_000).map { Record(Int64($0) << 40) }
    #expect(try unflattened(FlattenedWriter(empty + [good] + empty)) == [1, 2, 3])
    #expect(error(FlattenedWriter(empty))?.kind == .truncated)
    #expect(error(FlattenedWriter([]))?.kind == .truncated)
    // A gap of a gibibyte is read as zeros; one that is larger was never written.
    let end: Int64 = 1 << 30 + 3
    try withFiles(["flat": FlattenedWriter([good, Record(end, [7])]).bytes()]) { folder in
      let flat = try FlattenedFile(.mapped(MappedFile(path: folder + "/flat")))
      #expect(flat.byteCount == UInt64(end) + 1)
      #expect(flat.bytes(UInt64(end - 1)..<flat.byteCount, limit: 2) == [0, 7])
      #expect(flat.bytes(0..<flat.byteCount, limit: 1 << 20) == nil)
    }
    for far in [end + 1, 1 << 50, .max - 1] as [Int64] {
      let error = error(FlattenedWriter([good, Record(far, [7])]))
      #expect(error?.kind == .malformed && error?.message.contains("unwritten") == true, "\(far)")
    }
  }

  @Test("A header of another type or version, and one cut short")
  func header() throws {
    let good = Record(0, KdumpTests.mixed().bytes())
    var writer = FlattenedWriter([good])
    for (type, version) in [(0, 1), (2, 1), (1, 0), (1, 2), (-1, -1)] as [(Int64, Int64)] {
      writer.type = type
      writer.version = version
      let error = try #require(try openingError(writer.bytes()))
      #expect(error.kind == .unsupported && error.message.contains("type \(type), version \(version)"))
    }
    let file = FlattenedWriter([good]).bytes()
    for size in [16, 20, 31, 32, 4095, 4096, 4100, 4111, 4112] {
      let error = try #require(try openingError(Array(file[..<size])))
      #expect(error.kind == .truncated && error.message.contains("copy it again"), "\(size): \(error)")
    }
  }

  @Test("What is neither kdump nor ELF inside says so")
  func foreign() throws {
    for inside in [[UInt8](repeating: 7, count: 100), Array("EMiL".utf8) + .zeros(100), contents(3), [1]] {
      let error = try #require(try openingError(FlattenedWriter([Record(0, inside)]).bytes()))
      #expect(error.message.contains("neither"), "\(error)")
    }
    // A signature without its padding is not one of these.
    var writer = FlattenedWriter([Record(0, [1])])
    writer.signature = Array("makedumpfile 1.7".utf8)
    #expect(try openingError(writer.bytes())?.message.contains("not a dump") == true)
  }
}
