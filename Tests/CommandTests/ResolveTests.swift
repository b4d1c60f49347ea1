import Foundation
import TestSupport
import Testing

/// `kva resolve` as a process, against what the emulated MMU, the kernel and its listings say.
@Suite struct ResolveTests {
  @Test(
    "Standard input is answered line by line as the MMU does",
    arguments: DumpEntry.testData.flatMap(\.elfDumps))
  func standardInput(_ dump: Dump) throws {
    let samples = try dump.entry.mmu().kernelSamples
    let queries = samples.map { hex($0.virtual) }
    let result = try Kva.run(
      ["resolve", dump.path(), "--json"], input: queries.joined(separator: "\n") + "\n")
    #expect(result.status == 1, "some are unmapped")
    #expect(result.standardError == "")
    let answers = try result.objects()
    try #require(answers.count == queries.count)
    var differences: [String] = []
    for (sample, answer) in zip(samples, answers) {
      let query = hex(sample.virtual)
      #expect(answer["query"] as? String == query, "the order must be kept")
      let isMapped = answer["status"] as? String == "mapped"
      let physical = answer["physical"] as? String
      let isRight = isMapped == (sample.physical != nil) && physical == sample.physical.map(hex)
      if !isRight { differences.append("\(query): \(sample.physical.map(hex) ?? "fault"), kva \(answer)") }
      #expect((answer["walk"] != nil) == (!isMapped && answer["root"] != nil), "\(query)")
    }
    let drift = dump.entry.isNotedEarlier ? samples.count / 100 : 0
    #expect(differences.count <= drift, "\(differences.count) of \(samples.count): \(differences.prefix(4))")
  }

  @Test("A walk shows each entry as it stands in memory", arguments: ["c61-4k48-nokaslr", "c612-64k52"])
  func walk(_ name: String) throws {
    let entry = try DumpEntry.named(name)
    let facts = try entry.facts()
    let path = try entry.path("vmcore.elf")
    let memory = try CoreReader(path: path)
    // Bits a level, and the level of the root: 48 bits with 4 KiB pages take 0 to 3, 52 with 64 KiB 1 to 3.
    let (shift, bits, first) = facts.pageSize == 4096 ? (12, 9, 0) : (16, 13, 1)
    let rootBits = facts.vaBits - shift - bits * (3 - first)
    let samples = try entry.mmu().kernelSamples.enumerated().filter { $0.offset % 40 == 0 }.map(\.element)
    let queries = samples.map { hex($0.virtual) }
    let answers = try Kva.run(["resolve", path, "--json", "--walk"], input: queries.joined(separator: "\n"))
      .objects()
    try #require(answers.count == samples.count)
    var mapped = 0
    for (sample, answer) in zip(samples, answers) {
      guard let root = answer["root"] as? [String: String] else { continue }
      let swapper = facts.swapperPgDir &- facts.kimageVoffset
      #expect(root == ["register": "TTBR1_EL1", "table": hex(swapper)])
      let steps = try #require(answer["walk"] as? [[String: Any]])
      var table = swapper
      for (number, step) in steps.enumerated() {
        let level = first + number
        #expect(step["level"] as? Int == level)
        let index =
          sample.virtual >> (shift + bits * (3 - level)) & ((1 << (number == 0 ? rootBits : bits)) - 1)
        #expect(step["index"] as? Int == Int(index), "\(sample.origin)")
        #expect(step["address"] as? String == hex(table + index * 8))
        let word = try #require(try memory.word(table + index * 8))
        #expect(step["descriptor"] as? String == hex(word))
        let isLast = number == steps.count - 1
        let kind =
          word & 1 == 0 ? "invalid" : word & 2 == 0 ? "block" : level == 3 ? "page" : "table"
        #expect(step["kind"] as? String == kind)
        #expect((kind != "table") == isLast)
        // No memory of these machines is above 48 bits.
        table = word & 0xffff_ffff_f000 & ~(facts.pageSize - 1)
        guard isLast, let physical = sample.physical else { continue }
        mapped += 1
        let size = UInt64(1) << (shift + bits * (3 - level))
        #expect(physical == table & ~(size - 1) | sample.virtual & (size - 1))
        let mapping = try #require(answer["mapping"] as? [String: Any])
        #expect(mapping["level"] as? Int == level)
        #expect(mapping["kind"] as? String == kind)
        #expect(mapping["size"] as? UInt64 == size)
        #expect(mapping["contiguous"] as? Bool == (word >> 52 & 1 == 1))
      }
    }
    #expect(mapped > 50)
  }

  @Test("Permissions are those of the kernel's own listing", arguments: ["c61-4k48-nokaslr", "c612-64k52"])
  func permissions(_ name: String) throws {
    let entry = try DumpEntry.named(name)
    var ranges: [(start: UInt64, end: UInt64, flags: Set<String>)] = []
    for line in try entry.lines("oracle/kernel_page_tables.txt") where line.hasPrefix("0x") {
      let words = line.split(whereSeparator: { $0 == " " || $0 == "-" }).map(String.init)
      guard words.count > 4 else { continue }
      ranges.append((try parseAddress(words[0]), try parseAddress(words[1]), Set(words[3...])))
    }
    try #require(ranges.count > 60)
    let queries = ranges.flatMap { [hex($0.start), hex($0.end - 1)] }
    let answers = try Kva.run(
      ["resolve", entry.path("vmcore.elf"), "--json"], input: queries.joined(separator: "\n")
    ).objects()
    try #require(answers.count == queries.count)
    var differences: [String] = []
    for (number, answer) in answers.enumerated() {
      let flags = ranges[number / 2].flags
      guard let attributes = answer["attributes"] as? [String: Any],
        let mapping = answer["mapping"] as? [String: Any]
      else {
        differences.append("\(queries[number]) is \(answer["status"] ?? "")")
        continue
      }
      func flag(_ key: String) -> Bool? { attributes[key] as? Bool }
      let isRight =
        flag("writable") == flags.contains("RW") && flag("executableEL1") == flags.contains("x")
        && flag("executableEL0") == !flags.contains("UXN") && flag("accessed") == flags.contains("AF")
        && flag("global") == !flags.contains("NG") && flag("user") == flags.contains("USR")
        && (mapping["kind"] as? String == "block") == flags.contains("BLK")
        && mapping["contiguous"] as? Bool == flags.contains("CON")
        && attributes["memoryType"] as? String == memoryType(flags)
        && attributes["shareability"] as? String == (flags.contains("SHD") ? "inner" : "none")
      if !isRight { differences.append("\(queries[number]): \(flags), kva \(answer)") }
    }
    // The listing was taken a moment before the dump.
    #expect(differences.count <= 3 + answers.count / 33, "\(differences.count): \(differences.prefix(4))")
  }

  /// The kernel's word for a memory type as kva has it. These machines have no MTE: tagged memory is normal.
  private func memoryType(_ flags: Set<String>) -> String? {
    flags.contains { $0.hasPrefix("MEM/NORMAL") && !$0.hasSuffix("NC") }
      ? "normal"
      : flags.contains("MEM/NORMAL-NC")
        ? "normal-nc"
        : flags.first { $0.hasPrefix("DEVICE/") }.map { "device-" + $0.dropFirst(7) }
  }

  @Test("A tag is taken off, and where the MMU faults kva does not say it would ignore it")
  func tags() throws {
    for name in ["deb61-4k48", "c61-4k48-nokaslr"] {
      let entry = try DumpEntry.named(name)
      let samples = try entry.mmu().taggedSamples
      try #require(samples.count > 20)
      let answers = try Kva.run(
        ["resolve", entry.elfDumps[0].path(), "--json"],
        input: samples.map { hex($0.virtual) }.joined(separator: "\n")
      ).objects()
      for (sample, answer) in zip(samples, answers) {
        let physical = answer["status"] as? String == "mapped" ? answer["physical"] as? String : nil
        if let expected = sample.physical {
          #expect(physical == hex(expected), "\(hex(sample.virtual))")
        } else {
          #expect(physical == nil || answer["tbi"] as? Bool != true, "\(hex(sample.virtual))")
        }
        if answer["virtual"] as? String != hex(sample.virtual) {
          #expect(answer["tag"] as? String == hex(sample.virtual >> 56))
        }
      }
    }
  }

  @Test("Symbols of VMCOREINFO, with offsets in decimal and hex")
  func symbols() throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let vmcoreinfo = try entry.vmcoreinfo()
    let voffset = try entry.facts().kimageVoffset
    for name in ["swapper_pg_dir", "_stext", "init_uts_ns"] {
      let address = try parseAddress(try #require(vmcoreinfo["SYMBOL(\(name))"]))
      let queries = [name, "\(name)+16", "\(name)+0x10", "\(name)+0"]
      let result = try Kva.run(["resolve", entry.path("vmcore.elf"), "--json"] + queries)
      #expect(result.status == 0)
      let answers = try result.objects()
      for (query, (answer, offset)) in zip(queries, zip(answers, [0, 16, 16, 0] as [UInt64])) {
        #expect(answer["query"] as? String == query)
        #expect(answer["virtual"] as? String == hex(address + offset))
        // The kernel image lies at one offset from physical memory.
        #expect(answer["physical"] as? String == hex(address + offset &- voffset))
        #expect(answer["symbol"] as? String == name)
        #expect(answer["offset"] as? UInt64 == offset)
        #expect(answer["region"] as? String == "kernel image")
      }
    }
  }

  @Test("Text names the address, the page and the permissions; --walk adds a line for each entry")
  func text() throws {
    let path = try DumpEntry.named("c61-4k48-nokaslr").path("vmcore.elf")
    let result = try Kva.run(["vtop", path, "init_uts_ns", "--walk"])
    #expect(result.status == 0)
    #expect(result.standardError == "")
    // The address is in vmcoreinfo.txt; it lies 0xffff7fffc7e00000 above its physical one.
    let first = try #require(result.lines.first)
    #expect(first.hasPrefix("init_uts_ns = 0xffff800008787898 -> 0x40987898 "))
    #expect(first.contains("4K page, EL1 rw-, normal"))
    #expect(result.lines.count == 6)
    for (level, line) in result.lines.dropFirst(2).enumerated() { #expect(line.hasPrefix("    L\(level)[")) }
  }

  @Test("What cannot be asked or found is told apart, in JSON and as text")
  func failures() throws {
    let path = try DumpEntry.named("c61-4k48-nokaslr").path("vmcore.elf")
    let expected = [
      ("no_such_symbol", "unknown-symbol"), ("init_uts_nss", "unknown-symbol"), ("0x", "bad-query"),
      ("0x12345678123456789", "bad-query"), ("init_uts_ns+q", "bad-query"), ("a b", "bad-query"),
      ("", "bad-query"),
      ("0xffff7f0000000000", "unmapped"), ("0x0123ffff00000000", "not-canonical"),
      ("0xfff7000000000000", "not-canonical"),
      ("0x1000", "no-tables"), ("nomodule:symbol", "unknown-symbol"), ("runqueues@cpu99", "unknown-symbol"),
    ]
    let json = try Kva.run(
      ["resolve", path, "--json"], input: expected.map(\.0).joined(separator: "\n") + "\n")
    #expect(json.status == 1)
    #expect(json.standardError == "")
    let answers = try json.objects()
    try #require(answers.count == expected.count)
    for ((query, status), answer) in zip(expected, answers) {
      #expect(answer["query"] as? String == query)
      #expect(answer["status"] as? String == status, "\(query)")
      #expect(answer["physical"] == nil)
      #expect((answer["message"] as? String)?.isEmpty == false)
    }
    #expect((answers[1]["message"] as? String)?.contains("init_uts_ns?") == true)

    for (query, status) in expected where status == "bad-query" || status == "unknown-symbol" {
      guard !query.isEmpty, query != "0x1000" else { continue }
      let text = try Kva.run(["resolve", path, query])
      #expect(text.status == 1)
      // It is an answer like any other: a line of standard output.
      #expect(text.lines.count == 1)
      #expect(text.text.hasPrefix("\(query): \(status): "))
      #expect(text.standardError == "")
    }
  }

  @Test("Each answer comes before the next question is asked", arguments: [true, false])
  func answersAreFlushed(_ isJSON: Bool) throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let path = try entry.path("vmcore.elf")
    let session = try KvaSession(["resolve", path] + (isJSON ? ["--json"] : []))
    let samples = try entry.mmu().kernelSamples.filter { $0.physical != nil }.prefix(20)
    for sample in samples {
      try session.send(hex(sample.virtual) + "\n")
      let line = try session.line()
      #expect(line.contains(hex(sample.virtual)))
      #expect(try line.contains(hex(#require(sample.physical))))
    }
    // A line may come in pieces, and the last one without its end.
    try session.send("init_ut")
    try session.send("s_ns\r\nswapper_pg")
    #expect(try session.line().contains("0x40987898"))
    try session.send("_dir")
    #expect(try session.finish() == 0)
  }

  @Test("Blanks and a carriage return around a query count for nothing, and - is standard input")
  func inputLines() throws {
    let path = try DumpEntry.named("c61-4k48-nokaslr").path("vmcore.elf")
    let input = "  init_uts_ns\r\n\tffff800008787898 \n0XFFFF800008787898\ninit_uts_ns+0"
    let answers = try Kva.run(["resolve", path, "--json", "-"], input: input).objects()
    #expect(answers.map { $0["physical"] as? String } == Array(repeating: "0x40987898", count: 4))
    #expect(answers.map { $0["virtual"] as? String } == Array(repeating: "0xffff800008787898", count: 4))
  }
}

/// `value` as kva prints addresses.
func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
