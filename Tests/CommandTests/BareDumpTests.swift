import Foundation
import TestSupport
import Testing

/// Dumps that say nothing of themselves, or something wrong: the same answers, with how they were found.
@Suite struct BareDumpTests {
  /// A dump with the note hidden, and the copies in RAM erased too unless they shall stay.
  private func silent(_ dump: Dump, keepsCopies: Bool = false) throws -> SilencedCore {
    var core = try SilencedCore(path: dump.path())
    core.hideNote()
    if !keepsCopies { core.eraseVMCoreInfo() }
    return core
  }

  /// Runs `kva` on `file`.
  private func run(_ file: Data, _ command: String, _ arguments: [String] = [], input: [UInt64] = []) throws
    -> ProcessResult
  {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("dump").path
      try file.write(to: URL(fileURLWithPath: path))
      return try Kva.run(
        [command, path, "--json"] + arguments, input: input.map { hex($0) + "\n" }.joined(), limit: 900)
    }
  }

  private func expectAnswers(_ file: Data, as entry: DumpEntry, _ arguments: [String] = []) throws {
    let samples = try entry.mmu().kernelSamples
    let answers = try run(file, "resolve", arguments, input: samples.map(\.virtual)).objects()
    try #require(answers.count == samples.count)
    // A kdump's answers were noted some seconds before the crash.
    let allowed = entry.isNotedEarlier ? samples.count / 100 : 0
    let wrong = zip(samples, answers).count { sample, answer in
      let physical = answer["status"] as? String == "mapped" ? answer["physical"] as? String : nil
      return physical != sample.physical.map(hex)
    }
    #expect(wrong <= allowed, "\(wrong) of \(samples.count)")
  }

  private func expectFacts(_ info: [String: Any], of entry: DumpEntry) throws {
    let facts = try entry.facts()
    #expect(info["pageSize"] as? UInt64 == facts.pageSize)
    #expect(info["vaBitsActual"] as? Int == facts.vaBitsActual)
    #expect(info["kimageVoffset"] as? String == hex(facts.kimageVoffset))
    #expect((info["swapperPgDir"] as? [String: String])?["virtual"] == hex(facts.swapperPgDir))
  }

  private func sources(_ info: [String: Any]) -> [String: String] { info["sources"] as? [String: String] ?? [:] }

  @Test("Without VMCOREINFO the root is found by structure", arguments: DumpEntry.testData.flatMap(\.elfDumps))
  func byStructure(_ dump: Dump) throws {
    let file = try silent(dump).file
    try expectAnswers(file, as: dump.entry)
    let result = try run(file, "info")
    #expect(result.status == 0)
    #expect(result.standardError.contains("found by structure"))
    let info = try result.object()
    try expectFacts(info, of: dump.entry)
    let facts = try dump.entry.facts()
    let roots = try #require(info["rootCandidates"] as? [[String: Any]])
    let best = try #require(roots.first)
    #expect(best["physical"] as? String == hex(facts.swapperPgDir &- facts.kimageVoffset))
    #expect(best["score"] as? Int == best["bestScore"] as? Int)
    #expect(roots.dropFirst().allSatisfy { ($0["score"] as? Int ?? 99) < (best["score"] as? Int ?? 0) })
  }

  @Test(
    "Without VMCOREINFO the image of a whole dump tells the rest",
    arguments: DumpEntry.testData.flatMap(\.elfDumps).filter { !$0.isTablesOnly })
  func byImage(_ dump: Dump) throws {
    let info = try run(silent(dump).file, "info").object()
    let facts = try dump.entry.facts()
    #expect(info["vaBits"] as? Int == facts.vaBits)
    #expect(info["release"] as? String == facts.release)
    #expect(info["kaslrOffset"] as? String == hex(facts.kaslrOffset))
    #expect(info["physOffset"] as? String == hex(facts.physOffset))
    let checks = try #require(info["verification"] as? [[String: String]])
    #expect(checks.map { $0["check"] } == ["text", "root table", "linear map", "release", "banner"])
    #expect(checks.allSatisfy { $0["outcome"] == "agrees" }, "\(checks)")
  }

  @Test("A table folded for lesser hardware says that it cannot tell the configured width")
  func foldedTables() throws {
    let info = try run(silent(DumpEntry.named("deb612-4k-n1").dump("vmcore.tables.elf")).file, "info").object()
    #expect(info["vaBits"] as? Int == 48)
    #expect(sources(info)["vaBits"]?.contains("a kernel of 52 bits on hardware without them looks the same") == true)
    #expect(sources(info)["layout"]?.hasPrefix("the tables: vmemmap is where 6.9 and later has it") == true)
  }

  @Test("Without the note VMCOREINFO is found in RAM", arguments: ["c61-4k48-nokaslr", "c612-64k52"])
  func inMemory(_ name: String) throws {
    let entry = try DumpEntry.named(name)
    let file = try silent(entry.dump("vmcore.elf"), keepsCopies: true).file
    try expectAnswers(file, as: entry)
    let info = try run(file, "info").object()
    try expectFacts(info, of: entry)
    #expect(info["buildID"] as? String == (try entry.vmcoreinfo()["BUILD-ID"]))
    #expect(sources(info)["vmcoreinfo"]?.hasPrefix("VMCOREINFO in RAM at 0x") == true)
    #expect(info["rootCandidates"] as? [String] == [])
  }

  @Test("Raw memory is placed by the tables in it", arguments: [true, false])
  func raw(_ keepsCopies: Bool) throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let memory = try silent(entry.dump("vmcore.elf"), keepsCopies: keepsCopies).memory
    try expectAnswers(memory, as: entry)
    let result = try run(memory, "info")
    let info = try result.object()
    try expectFacts(info, of: entry)
    let base = try #require(try CoreReader(path: entry.path("vmcore.elf")).segments.map(\.physical).min())
    #expect((info["memory"] as? [[String: String]])?.first?["start"] == hex(base))
    #expect(result.standardError.contains("\(hex(base)) is a guess"))
  }

  @Test("VMCOREINFO of another kernel is not believed")
  func decoys() throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let text = try String(decoding: entry.data("oracle/vmcoreinfo.txt"), as: UTF8.self)
    let root = hex(try entry.facts().swapperPgDir).dropFirst(2)
    // One names another root; one has the right numbers, but was written by a kernel of another release.
    let stale = text.replacingOccurrences(
      of: "SYMBOL(swapper_pg_dir)=\(root)", with: "SYMBOL(swapper_pg_dir)=ffff800008000000")
    let other = text.replacingOccurrences(of: "OSRELEASE=6.1.192-c61-4k48", with: "OSRELEASE=6.0.999-decoy-xx")
    #expect(stale != text && other != text)
    var core = try silent(entry.dump("vmcore.elf"), keepsCopies: true)
    try core.addPage(stale)
    try core.addPage(other)
    try expectAnswers(core.file, as: entry)
    let result = try run(core.file, "info")
    let info = try result.object()
    #expect(info["release"] as? String == "6.1.192-c61-4k48")
    #expect(!result.standardError.contains("stand equal"))

    // Alone in RAM the stale copy is no answer; the tables are.
    core.eraseVMCoreInfo()
    try core.addPage(stale)
    let alone = try run(core.file, "info").object()
    try expectFacts(alone, of: entry)
    #expect(sources(alone)["vmcoreinfo"]?.hasPrefix("none") == true)
  }

  @Test("A note that the tables refute gives way to the copy in RAM")
  func wrongNote() throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    var core = try SilencedCore(path: entry.path("vmcore.elf"))
    try core.replaceInNotes("NUMBER(kimage_voffset)=0xffff7fffc7e00000", "NUMBER(kimage_voffset)=0xffff7fffc7f00000")
    try expectAnswers(core.file, as: entry)
    let result = try run(core.file, "info")
    try expectFacts(try result.object(), of: entry)
    #expect(result.errorLines.contains { $0.contains("note is not borne out by the tables: VMCOREINFO in RAM at 0x") })
  }

  /// What a VMCOREINFO may lack, by what is done to its text.
  struct Gap: Sendable {
    var name: String
    var change: @Sendable (String) -> String
    /// Lacks the lines `keys`.
    init(_ name: String, _ keys: [String]) {
      self.name = name
      change = { BareDumpTests.without(keys, $0) }
    }
    init(_ name: String, change: @escaping @Sendable (String) -> String) {
      self.name = name
      self.change = change
    }
  }

  static let needed = ["PAGESIZE", "NUMBER(VA_BITS)", "NUMBER(kimage_voffset)", "SYMBOL(swapper_pg_dir)"]
  static let gaps: [Gap] = [
    Gap(needed[0], [needed[0]]), Gap(needed[1], [needed[1]]), Gap(needed[2], [needed[2]]), Gap(needed[3], [needed[3]]),
    Gap("all of them", needed), Gap("no text", ["SYMBOL(_stext)", "NUMBER(PHYS_OFFSET)", "KERNELOFFSET"]),
    Gap("the second half") { String($0.prefix($0.utf8.count / 2)) },
    Gap("its end, in the middle of kimage_voffset") { text in
      guard let key = text.range(of: "NUMBER(kimage_voffset)=0xffff") else { return text }
      return String(text[..<key.upperBound])
    },
  ]

  private static func without(_ keys: [String], _ text: String) -> String {
    text.split(separator: "\n").filter { line in !keys.contains { line.hasPrefix($0 + "=") } }.map { $0 + "\n" }
      .joined()
  }

  @Test("What VMCOREINFO lacks, in the note and in RAM, is found in the tables", arguments: gaps.indices)
  func lacking(_ index: Int) throws {
    for name in ["c61-4k48-nokaslr", "c612-64k52-on48", "deb612-4k"] {
      let entry = try DumpEntry.named(name)
      let dump = try #require(entry.elfDumps.first)
      var core = try SilencedCore(path: dump.path())
      try core.changeVMCoreInfo(Self.gaps[index].change)
      try expectAnswers(core.file, as: entry)
      let result = try run(core.file, "info")
      #expect(result.status == 0)
      let info = try result.object()
      try expectFacts(info, of: entry)
      let facts = try entry.facts()
      #expect(info["release"] as? String == facts.release, "\(name)")
      #expect(info["physOffset"] as? String == hex(facts.physOffset), "\(name)")
      // Where KASLR put the image of tables alone follows from _stext, if that is known.
      if !dump.isTablesOnly || Self.gaps[index].name != "no text" {
        #expect(info["kaslrOffset"] as? String == hex(facts.kaslrOffset), "\(name)")
      }
    }
  }

  @Test("The configured width follows from PHYS_OFFSET where hardware has less")
  func configuredWidth() throws {
    for name in ["deb612-4k-n1", "deb612-16k"] {
      let entry = try DumpEntry.named(name)
      var core = try SilencedCore(path: entry.elfDumps[0].path())
      try core.changeVMCoreInfo { Self.without(["NUMBER(VA_BITS)"], $0) }
      let info = try run(core.file, "info").object()
      #expect(info["vaBits"] as? Int == 52, "\(name)")
      try expectFacts(info, of: entry)
    }
  }

  @Test("A note whose kimage_voffset is wrong, and no copy in RAM: the tables say it")
  func wrongNoteAlone() throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    var core = try SilencedCore(path: entry.path("vmcore.elf"))
    try core.replaceInNotes("NUMBER(kimage_voffset)=0xffff7fffc7e00000", "NUMBER(kimage_voffset)=0xffff7fffc7f00000")
    core.eraseVMCoreInfo()
    try expectAnswers(core.file, as: entry)
    let result = try run(core.file, "info")
    try expectFacts(try result.object(), of: entry)
    #expect(result.standardError.contains("the tables refute NUMBER(kimage_voffset) of the VMCOREINFO note"))
  }

  @Test("Tables above 2^50 are found without VMCOREINFO", arguments: [50, 51])
  func highTables(_ bit: Int) throws {
    let base: UInt64 = 1 << UInt64(bit) | 0x4000_0000
    var core = CoreWriter()
    core.segments = [.init(base, SelfMappingKernel.wideMemory(at: base))]
    let result = try run(Data(core.bytes()), "resolve", ["0xffff800080005000"])
    #expect(try result.object()["physical"] as? String == hex(base + 0x5000), "\(result.standardError)")
    // Raw memory is as good.
    let raw = try run(Data(SelfMappingKernel.wideMemory(at: base)), "resolve", ["0xffff800080005000"])
    #expect(try raw.object()["physical"] as? String == hex(base + 0x5000), "\(raw.standardError)")
  }

  @Test("Raw memory begins at any page", arguments: [0x1_0000, 0x10_0000, 0x5000, 0x1f_f000], [true, false])
  func rawAtAnyPage(_ start: Int, _ keepsCopies: Bool) throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let memory = try silent(entry.dump("vmcore.elf"), keepsCopies: keepsCopies).memory.dropFirst(start)
    let result = try run(Data(memory), "info")
    let info = try result.object()
    try expectFacts(info, of: entry)
    #expect((info["memory"] as? [[String: String]])?.first?["start"] == hex(0x4000_0000 + UInt64(start)))
  }

  @Test("Raw memory at a wrong address: what the tables want")
  func misplaced() throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let memory = try silent(entry.dump("vmcore.elf"), keepsCopies: true).memory
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("ram").path
      try memory.write(to: URL(fileURLWithPath: path))
      for (given, real) in [("80000000", "0x40000000"), ("0x40200000", "0x40000000"), ("0", "0x40000000")] {
        let result = try Kva.run(["resolve", "\(path)@\(given)", "init_task"])
        #expect(result.status == 2)
        #expect(result.errorLines.count == 1)
        #expect(
          result.standardError.contains("the kernel's tables want RAM at \(real), not at "), "\(result.standardError)")
        #expect(!result.standardError.contains("has no VMCOREINFO"))
      }
    }
  }

  @Test(
    "A part of raw memory at a wrong address, the tables in the other: where the linear map wants it",
    arguments: [
      ("0x40400000", "0x200000 too high"), ("0x3fe00000", "0x400000 too low"), ("0x80200000", "0x40000000 too high"),
    ])
  func misplacedPart(_ given: String, _ words: String) throws {
    try Scratch.withFolder { folder in
      let kernel = AuditedKernel()
      let path = folder.appendingPathComponent("core").path
      try kernel.write(to: path)
      var memory = try CoreReader(path: path).bytes(AuditedKernel.ram, Int(AuditedKernel.ramSize)) ?? []
      try #require(memory.count == 4 << 20)
      let text = Array((kernel.vmcoreinfo.joined(separator: "\n") + "\n").utf8)
      memory.replaceSubrange(0x1f_0000..<(0x1f_0000 + text.count), with: text)
      let files = ["a", "b"].map { folder.appendingPathComponent($0).path }
      try Data(memory[..<0x20_0000]).write(to: URL(fileURLWithPath: files[0]))
      try Data(memory[0x20_0000...]).write(to: URL(fileURLWithPath: files[1]))
      let right = try Kva.run(["resolve", "\(files[0])@40000000,\(files[1])@40200000", "0xffff800008005000"])
      #expect(right.status == 0 && !right.standardError.contains("linear map"), "\(right.standardError)")
      let wrong = try Kva.run(["resolve", "\(files[0])@40000000,\(files[1])@\(given)", "0xffff800008005000"])
      #expect(wrong.status == 0)
      #expect(wrong.standardError.contains("that part, the second, seems to be \(words)"), "\(wrong.standardError)")
    }
  }

  @Test("What contradicts itself is named first")
  func contradictions() throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    for (line, other, check) in [
      ("OSRELEASE=6.1.192-c61-4k48", "OSRELEASE=6.1.193-c61-4k48", "release"),
      ("NUMBER(PHYS_OFFSET)=0x40000000", "NUMBER(PHYS_OFFSET)=0x48000000", "linear map"),
    ] {
      var core = try SilencedCore(path: entry.path("vmcore.elf"))
      try core.replaceInNotes(line, other)
      let result = try run(core.file, "info")
      let first = try #require(result.errorLines.first)
      #expect(first.contains("the dump contradicts itself, \(check): "))
      let checks = try #require(try result.object()["verification"] as? [[String: String]])
      #expect(checks.filter { $0["outcome"] == "disagrees" }.map { $0["check"] }.contains(check))
      #expect(checks.first { $0["check"] == "text" }?["outcome"] == "agrees")
    }
  }

  @Test("Two kernels that nothing tells apart are both named")
  func equals() throws {
    // Each has 2 MiB, a linear map and an image of the same sizes.
    var core = CoreWriter()
    for base in [0x4000_0000, 0x8000_0000] as [UInt64] {
      core.segments.append(.init(base, SelfMappingKernel.memory(at: base)))
    }
    let result = try run(Data(core.bytes()), "info")
    let roots = try #require(try result.object()["rootCandidates"] as? [[String: Any]])
    #expect(roots.prefix(2).map { $0["physical"] as? String } == ["0x40001000", "0x80001000"])
    #expect(roots.dropFirst(2).allSatisfy { ($0["score"] as? Int ?? 9) < (roots[0]["score"] as? Int ?? 0) })
    #expect(result.standardError.contains("2 root tables stand equal; the others are at 0x80001000"))
    // The user decides.
    let chosen = try run(Data(core.bytes()), "resolve", ["--swapper-pg-dir", "0x80001000", "0xffff800080005000"])
    #expect(try chosen.object()["physical"] as? String == "0x80005000")
  }

  @Test("Tables that lead to each other in circles are given up, in ELF and in raw memory")
  func circles() throws {
    // Every word of each page leads to a page of its own.
    let pages = 512
    var memory: [UInt8] = []
    for page in 0..<pages {
      for index in 0..<512 { memory += [UInt8](little: UInt64(0x4000_0000 + (page + index) % pages * 4096) | 3) }
    }
    var core = CoreWriter()
    core.segments.append(.init(0x4000_0000, memory))
    for file in [Data(core.bytes()), Data(memory)] {
      let result = try run(file, "info")
      #expect([0, 1, 2].contains(result.status))
      #expect(result.errorLines.contains { $0.contains("the search for root tables was given up") })
    }
  }

  @Test("Memory without any kernel says what to give")
  func nothing() throws {
    var core = CoreWriter()
    core.segments.append(.init(0x4000_0000, (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 37) }))
    let result = try run(Data(core.bytes()), "resolve", ["0xffff800080005000"])
    #expect(result.status == 2)
    #expect(result.errorLines.count == 1 && result.standardError.contains("give --page-size"))
  }
}

/// 2 MiB of memory that a kernel of 4 KiB pages and 48 bits lies in: swapper_pg_dir in the second page, the
/// image's first pages at 0xffff800080000000 or where that is taken from `base`, all of it in a linear map.
enum SelfMappingKernel {
  static func memory(at base: UInt64) -> [UInt8] {
    var memory = [UInt8](repeating: 0, count: 2 << 20)
    func put(_ value: UInt64, _ page: UInt64, _ index: UInt64) {
      memory.replaceSubrange(
        Int(page << 12 + index * 8)..<Int(page << 12 + index * 8 + 8), with: [UInt8](little: value))
    }
    func table(_ page: UInt64) -> UInt64 { base + page << 12 | 3 }
    // Root: entry 0 the linear map, 256 the image. The image is at ffff800080000000: level 1 entry 2.
    put(table(2), 1, 0)
    put(table(4), 1, 256)
    // The linear map has `base` at ffff000000000000: one block of 2 MiB; AF, inner shareable, PXN, UXN.
    put(table(3), 2, 0)
    put(base | 0x0060_0000_0000_0701, 3, 0)
    put(table(6), 4, 2)
    put(table(7), 6, 0)
    // Page 0 is text: read-only and executable at EL1; the others are data.
    put(base | 0x0040_0000_0000_0783, 7, 0)
    for page in 1..<UInt64(8) { put(base + page << 12 | 0x0060_0000_0000_0703, 7, page) }
    return memory
  }

  /// The same with five levels and LPA2, whose entries have bits 51:50 of addresses in bits 9:8: the linear map at
  /// fff0000000000000.
  static func wideMemory(at base: UInt64) -> [UInt8] {
    var memory = [UInt8](repeating: 0, count: 2 << 20)
    func put(_ address: UInt64, _ bits: UInt64, _ page: UInt64, _ index: UInt64) {
      let value = (address & 0x3_ffff_ffff_f000) | ((address >> 50) << 8) | bits
      memory.replaceSubrange(
        Int(page << 12 + index * 8)..<Int(page << 12 + index * 8 + 8), with: [UInt8](little: value))
    }
    func lead(_ page: UInt64, _ index: UInt64, to next: UInt64) { put(base + (next << 12), 3, page, index) }
    lead(1, 0, to: 2)
    lead(2, 0, to: 3)
    lead(3, 0, to: 8)
    put(base, 0x0060_0000_0000_0401, 8, 0)
    lead(1, 15, to: 4)
    lead(4, 256, to: 5)
    lead(5, 2, to: 6)
    lead(6, 0, to: 7)
    put(base, 0x0040_0000_0000_0483, 7, 0)
    for page in 1..<UInt64(9) { put(base + (page << 12), 0x0060_0000_0000_0403, 7, page) }
    return memory
  }
}
