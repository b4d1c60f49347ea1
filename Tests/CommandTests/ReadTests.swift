import Foundation
import TestSupport
import Testing

/// `kva read` against bytes read through the machine.
@Suite struct ReadTests {
  static let entries = ["c61-4k48-nokaslr", "c612-64k52"]

  /// Some of an entry's byte samples, evenly chosen.
  private func samples(_ entry: DumpEntry, every step: Int) throws -> [MMUBytes] {
    let all = try entry.mmu().kernelBytes
    try #require(all.count > 200)
    return all.enumerated().filter { $0.offset % step == 0 }.map(\.element)
  }

  @Test("--raw writes the bytes themselves", arguments: entries)
  func raw(_ name: String) throws {
    let entry = try DumpEntry.named(name)
    for sample in try samples(entry, every: 6) {
      let result = try Kva.run(
        ["read", entry.path("vmcore.elf"), hex(sample.virtual), "\(sample.bytes.count)", "--raw"])
      #expect(result.status == 0)
      #expect(result.standardError == "")
      #expect(Array(result.output) == sample.bytes, "\(hex(sample.virtual))")
    }
  }

  @Test("--physical reads by physical address, also what only a process sees", arguments: entries)
  func physical(_ name: String) throws {
    let entry = try DumpEntry.named(name)
    for sample in try entry.mmu().wholeBytes.enumerated().filter({ $0.offset % 12 == 0 }).map(\.element) {
      let result = try Kva.run(
        [
          "rd", entry.path("vmcore.elf"), "--physical", hex(sample.physical), hex(UInt64(sample.bytes.count)),
          "--raw",
        ])
      #expect(result.status == 0)
      #expect(Array(result.output) == sample.bytes, "\(hex(sample.physical))")
    }
  }

  @Test("--json gives a page or part of one an object", arguments: entries)
  func json(_ name: String) throws {
    let entry = try DumpEntry.named(name)
    for sample in try samples(entry, every: 25) {
      let object = try Kva.run(
        ["read", entry.path("vmcore.elf"), hex(sample.virtual), "\(sample.bytes.count)", "--json"]
      ).object()
      #expect(object["address"] as? String == hex(sample.virtual))
      #expect(object["physical"] as? String == hex(sample.physical))
      #expect(try parseBytes(#require(object["bytes"] as? String)) == sample.bytes)
    }
  }

  @Test("--type shows the same bytes as values, by virtual and by physical address", arguments: entries)
  func typed(_ name: String) throws {
    let entry = try DumpEntry.named(name)
    func words(_ address: UInt64, _ options: [String]) throws -> [UInt64] {
      let object = try Kva.run(
        ["read", entry.path("vmcore.elf"), hex(address), "--type", "unsigned short[8]", "--json"] + options
      ).object()
      #expect(object["address"] as? String == hex(address) && object["type"] as? String != nil)
      return (object["value"] as? [Int] ?? []).map { UInt64($0) }
    }
    for sample in try samples(entry, every: 40) where sample.bytes.count >= 16 {
      let wanted = (0..<8).map { UInt64(sample.bytes[2 * $0]) | UInt64(sample.bytes[2 * $0 + 1]) << 8 }
      #expect(try words(sample.virtual, []) == wanted, "\(hex(sample.virtual))")
      #expect(try words(sample.physical, ["--physical"]) == wanted, "\(hex(sample.physical))")
    }
  }

  @Test("--type takes the types that the kernel carries, and says what it cannot do")
  func namedTypes() throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let names = try Kva.run(["read", entry.path("vmcore.elf"), "init_uts_ns", "--type", "uts_namespace", "--json"])
    let facts = try #require(JSONSerialization.jsonObject(with: entry.data("facts.json")) as? [String: Any])
    let value = try #require(names.object()["value"] as? [String: Any])
    #expect((value["name"] as? [String: Any])?["release"] as? String == facts["release"] as? String)
    for (arguments, status, words) in [
      (["init_task", "--type", "no_such_type"], Int32(1), "no_such_type"), (["0x1", "--type", "int"], 1, "0x0"),
      (["init_task", "8", "--type", "int"], 64, "nor a length"), (["init_task", "--type", "int) + (1"], 1, "int"),
      (["0xfffffffffffffffe", "--type", "u64"], 1, "beyond the end"),
    ] {
      let result = try Kva.run(["read", entry.path("vmcore.elf")] + arguments)
      #expect(result.status == status && result.standardError.contains(words), "\(arguments): \(result.standardError)")
    }
  }

  @Test("Text and words show the same bytes", arguments: [nil, 8, 4, 2, 1] as [Int?])
  func text(_ wordSize: Int?) throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    for sample in try samples(entry, every: 60) {
      let form = wordSize.map { ["--words", "\($0)"] } ?? []
      let result = try Kva.run(
        ["read", entry.path("vmcore.elf"), hex(sample.virtual), "\(sample.bytes.count)"] + form)
      #expect(result.status == 0)
      try #require(result.lines.count == sample.bytes.count / 16)
      for (number, line) in result.lines.enumerated() {
        let expected = Array(sample.bytes[(number * 16)..<(number * 16 + 16)])
        let parts = line.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        #expect(try parseAddress(parts[0]) == sample.virtual + UInt64(number * 16))
        let count = 16 / (wordSize ?? 1)
        try #require(parts.count > count)
        // Memory is little-endian: a word shows its bytes the other way round.
        let shown = try parts[1...count].flatMap { try parseBytes($0).reversed() }
        #expect(shown == expected, "\(line)")
        if wordSize == nil {
          let ascii = expected.map { (0x20..<0x7f).contains($0) ? String(UnicodeScalar($0)) : "." }.joined()
          #expect(line.hasSuffix("|\(ascii)|"))
        }
      }
    }
  }

  @Test("A symbol and its offset; a length in hex; 256 bytes if none is said")
  func symbolsAndLengths() throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let path = try entry.path("vmcore.elf")
    // struct uts_namespace begins with new_utsname: six texts of 65 bytes, the third of them the release.
    let release = Array("6.1.192-c61-4k48".utf8)
    let result = try Kva.run(["read", path, "init_uts_ns+130", "0x10", "--raw"])
    #expect(Array(result.output) == release)
    let memory = try CoreReader(path: path)
    let whole = try #require(try memory.bytes(0x4098_7898, 256))
    #expect(Array(try Kva.run(["read", path, "init_uts_ns", "--raw"]).output) == whole)
    #expect(Array(try Kva.run(["read", path, "--physical", "0x40987898", "--raw"]).output) == whole)
  }

  @Test("A read over many pages follows the tables page by page")
  func manyPages() throws {
    try Scratch.withFolder { folder in
      // Pages 8 and 9 stand the other way round in physical memory.
      var kernel = HandmadeKernel()
      kernel.setWord(0x0060_0000_4000_9703, at: HandmadeKernel.tables[3] + 8 * 8)
      kernel.setWord(0x0060_0000_4000_8703, at: HandmadeKernel.tables[3] + 9 * 8)
      for page in 8...9 {
        kernel.memory.replaceSubrange(
          (page << 12)..<((page + 1) << 12), with: [UInt8](repeating: UInt8(page), count: 4096))
      }
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.core.write(to: path)
      let raw = try Kva.run(["read", path, "0xffff800008008800", "0x1000", "--raw"])
      #expect(raw.status == 0)
      #expect(Array(raw.output) == Array(repeating: 9, count: 2048) + Array(repeating: 8, count: 2048))
      let objects = try Kva.run(["read", path, "0xffff800008008800", "4096", "--json"]).objects()
      #expect(objects.map { $0["physical"] as? String } == ["0x40009800", "0x40008000"])
      #expect(objects.map { $0["address"] as? String } == ["0xffff800008008800", "0xffff800008009000"])
    }
  }

  @Test("What is missing is said, not shown as zeros; --raw writes all or nothing")
  func missing() throws {
    try Scratch.withFolder { folder in
      let kernel = HandmadeKernel()
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.core.write(to: path)
      // Page 6 is not mapped.
      let raw = try Kva.run(["read", path, "0xffff800008005ff8", "16", "--raw"])
      #expect(raw.status == 1)
      #expect(raw.output.isEmpty)
      #expect(raw.errorLines.count == 1)
      #expect(raw.standardError.contains("0xffff800008006000 is unmapped"))
      let objects = try Kva.run(["read", path, "0xffff800008005ff8", "16", "--json"])
      #expect(objects.status == 1)
      let pieces = try objects.objects()
      try #require(pieces.count == 2)
      let known = (4088..<4096).map(HandmadeKernel.knownByte)
      #expect(try parseBytes(#require(pieces[0]["bytes"] as? String)) == known)
      #expect(pieces[1]["bytes"] is NSNull)
      let text = try Kva.run(["read", path, "0xffff800008005ff8", "16"])
      #expect(text.status == 1)
      #expect(text.lines.count == 1)
      #expect(text.errorLines.count == 1)
      // No memory was dumped there.
      let physical = try Kva.run(["read", path, "--physical", "0x4000fff8", "16", "--raw"])
      #expect(physical.status == 1)
      #expect(physical.output.isEmpty)
      #expect(physical.standardError.contains("0x40010000"))
      for arguments in [["0xffff8000ffff0000"], ["no_such_symbol"], ["--physical", "init_uts_ns"]] {
        let result = try Kva.run(["read", path] + arguments)
        #expect(result.status == 1)
        #expect(result.output.isEmpty)
        #expect(result.errorLines.count == 1)
      }
    }
  }

  @Test("Lengths that reach beyond the end of the address space, or are zero")
  func extremeLengths() throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try HandmadeKernel().core.write(to: path)
      let beyond = try Kva.run(["read", path, "0xfffffffffffffff0", "17"])
      #expect(beyond.status == 1)
      #expect(beyond.errorLines.count == 1)
      let huge = try Kva.run(
        ["read", path, "--physical", "0x40005000", "0x7fffffffffffffff", "--raw"], limit: 20)
      #expect(huge.status == 1)
      #expect(huge.output.isEmpty)
      let nothing = try Kva.run(["read", path, "0xffff800008005000", "0", "--raw"])
      #expect(nothing.status == 0)
      #expect(nothing.output.isEmpty)
    }
  }

  @Test("Pages that are not to be had for one reason are told in one line, and all are counted")
  func gaps() throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      let text = [UInt8](repeating: 0x41, count: 4096)
      let pages: [UInt64: KdumpWriter.Page] = [
        0: .kept(text, .raw), 1: .filtered, 2: .filtered, 3: .filtered, 4: .lost, 5: .kept(text, .raw), 6: .filtered,
        7: .filtered,
      ]
      try KdumpWriter(frameCount: 8, pages).write(to: path)
      let result = try Kva.run(["read", path, "--physical", "0x0", "0x8000"])
      #expect(result.status == 1)
      #expect(result.lines.count == 2 * 4096 / 16)
      let why = "was filtered out of this dump (dump level 31)"
      #expect(
        result.errorLines == [
          "kva: \(path): page 0x1000 \(why); the same holds for the 2 pages after it, up to 0x3fff",
          "kva: \(path): page 0x4000 was lost when the dump was written: the dump is incomplete",
          "kva: \(path): page 0x6000 \(why); the same holds for the page after it, up to 0x7fff",
          "kva: \(path): 6 of 8 pages cannot be shown; 5 of them were filtered out of this dump",
        ])
    }
  }
}
