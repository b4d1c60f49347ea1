import Foundation
import TestSupport
import Testing

/// What kva and the kernel print can be pasted back, and what cannot be answered says how to ask.
@Suite struct PastedQueryTests {
  private static let entry = "c61-4k48-nokaslr"

  private func dump() throws -> String { try DumpEntry.named(Self.entry).path("vmcore.elf") }

  private func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  private func answers(_ command: String, _ queries: [String]) throws -> [[String: Any]] {
    try Kva.run([command, try dump(), "--json", "--no-debuginfo"], input: queries.joined(separator: "\n")).objects()
  }

  @Test("The kernel's notation leads where the plain query does, and JSON keeps what was asked")
  func notation() throws {
    let kallsyms = try DumpEntry.named(Self.entry).kallsyms()
    let schedule = try #require(kallsyms["schedule"])
    // /proc/kallsyms of the guest: flush_bg_queue of fuse.
    let module: UInt64 = 0xffff_8000_003c_60e0
    let queries: [(text: String, address: UInt64)] = [
      ("schedule+0x10/0x90", schedule + 16), ("[<\(String(schedule, radix: 16))>]", schedule),
      ("[<\(String(schedule, radix: 16))>] schedule+0x0/0x90", schedule), ("schedule-8", schedule - 8),
      ("schedule,", schedule), ("schedule+0x10/0x90;", schedule + 16), ("(schedule)", schedule),
      ("flush_bg_queue [fuse]", module), ("flush_bg_queue+0x4/0xd0 [fuse]", module + 4),
      ("<flush_bg_queue+0x4 [fuse]>", module + 4), ("flush_bg_queue+0x4/0xd0 [fuse] (P)", module + 4),
    ]
    for (query, answer) in zip(queries, try answers("resolve", queries.map(\.text))) {
      #expect(answer["query"] as? String == query.text)
      #expect(answer["virtual"] as? String == hex(query.address), "\(query.text)")
      #expect(answer["status"] as? String == "mapped", "\(query.text)")
    }
    // What lies before a symbol is named by the symbol that has it.
    #expect(try answers("resolve", ["schedule-8"])[0]["symbol"] as? String != "schedule")
  }

  @Test("Registers of a CPU are those of the machine")
  func registers() throws {
    let cpus = try DumpEntry.named(Self.entry).registers()
    for (number, held) in cpus.enumerated() {
      let names = ["pc", "x0", "x19", "x29", "x30"]
      let found = try answers("resolve", names.map { "$\($0)@cpu\(number)" })
      for (name, answer) in zip(names, found) {
        guard let value = answer["virtual"] as? String else { continue }
        let wanted = try #require(held[name])
        #expect(value == hex(UInt64(bitPattern: Int64(bitPattern: wanted << 8) >> 8)), "\(name) of CPU \(number)")
      }
    }
    #expect(try answers("resolve", ["$pc"])[0]["virtual"] as? String == cpus[0]["pc"].map(hex))
    #expect(try answers("resolve", ["$pc-4"])[0]["virtual"] as? String == cpus[0]["pc"].map { hex($0 - 4) })
    for query in ["$x31", "$nosuch", "$pc@cpu9"] {
      #expect(try answers("resolve", [query])[0]["status"] as? String == "bad-query")
    }
  }

  @Test("An address of user space without tables says so, and one near 0 is NULL and an offset")
  func noTables() throws {
    for command in ["resolve", "identify"] {
      let found = try answers(command, ["0x8", "0x88", "0x0", "0x400000", "0xdeadb000"])
      #expect(found.allSatisfy { $0["status"] as? String == "no-tables" })
      let messages = found.map { $0["message"] as? String ?? "" }
      #expect(messages[0].hasPrefix("NULL + 8; ") && messages[1].hasPrefix("NULL + 0x88; "))
      #expect(messages[2].hasPrefix("NULL; ") && messages[3].hasPrefix("an address of user space; "))
      #expect(messages[4].contains("%p"))
    }
    #expect(try answers("identify", ["0x8"])[0]["kind"] as? String == "NULL + 8")
  }

  @Test("identify takes the tables of user space")
  func identifyUser() throws {
    let entry = try DumpEntry.named(Self.entry)
    let (cpu, samples) = try #require(try entry.mmu().userSamples.first)
    let mapped = samples.filter { $0.physical != nil }
    let found = try Kva.run(
      ["identify", try dump(), "--json", "--ttbr0", "cpu\(cpu)"],
      input: mapped.map { hex($0.virtual) + "\n" }.joined()
    ).objects()
    #expect(found.map { $0["physical"] as? String } == mapped.map { $0.physical.map(hex) })
    for (answer, sample) in zip(found, mapped) {
      let frame = (answer["frame"] as? [String: Any])?["number"] as? Int
      #expect(frame.map { UInt64($0) } == sample.physical.map { $0 >> 12 })
    }
  }

  @Test("Values that are no addresses are told")
  func values() throws {
    let (error, erased) = (UInt64.max - 21, UInt64(0x5858_5858_5858_5858))
    let found = try answers("identify", [error, erased].map(hex))
    #expect(found[0]["kind"] as? String == "error pointer" && found[0]["poison"] as? String == "ERR_PTR(-22): EINVAL")
    #expect(found[1]["kind"] as? String == "poison")
    #expect((found[1]["poison"] as? String)?.contains("makedumpfile") == true)
    // 0xfffffffffffff000 is no error: MAX_ERRNO is 4095.
    #expect(
      try answers("identify", ["0xfffffffffffff000", "0xfffffffffffff001"]).map { $0["poison"] == nil } == [
        true, false,
      ])
    let messages = try answers("resolve", [error, erased].map(hex)).map { $0["message"] as? String ?? "" }
    #expect(messages[0].hasPrefix("ERR_PTR(-22): EINVAL; ") && messages[1].contains("makedumpfile"))
    // init_task with the bits of a signature above its 48 bits (bit 55 stays).
    let task = try #require(try DumpEntry.named(Self.entry).kallsyms()["init_task"])
    let signed = task & ~(0x7f << 48) | 0x2a << 48
    let plain = try #require(try answers("resolve", [hex(signed)]).first)
    let vmcoreinfo = try DumpEntry.named(Self.entry).vmcoreinfo()
    #expect(plain["status"] as? String == "not-canonical")
    #expect(
      (plain["message"] as? String)?.contains("without its authentication code it is \(hex(task))")
        == (vmcoreinfo["NUMBER(KERNELPACMASK)"] != "0x0"))
  }

  @Test("Names that begin alike are offered, and of three letters those that differ by one")
  func suggestions() throws {
    let found = try answers("resolve", ["tasklist_loc", "init_uts_n", "prd", "swapper_pg"])
    let messages = found.map { $0["message"] as? String ?? "" }
    for (message, name) in zip(messages, ["tasklist_lock", "init_uts_ns", "prb", "swapper_pg_dir"]) {
      #expect(message.contains("did you mean") && message.contains(name), "\(message)")
    }
    #expect(
      try answers("resolve", ["fuse_dequeue_forge"])[0]["message"] as? String
        == "no symbol 'fuse_dequeue_forge'; did you mean fuse_dequeue_forget?")
  }

  @Test("What was probably meant is said: the dump first, a command before it, a file instead of a pipe")
  func mistakes() throws {
    let dump = try dump()
    func error(_ arguments: [String]) throws -> String {
      let result = try Kva.run(arguments)
      #expect(result.status == 2 || result.status == 64 || result.status == 1)
      return result.standardError
    }
    #expect(try error(["resolve", "init_task", dump]).contains("the dump comes first: kva resolve \(dump) init_task"))
    #expect(try error([dump]).contains("kva info \(dump)?"))
    #expect(try error(["info", "-"]).contains("a dump must be a file that can be sought"))
    #expect(try error(["info", "/dev/null"]).contains("a dump must be a file that can be sought"))
    #expect(try error(["rmap", dump, "0xffff800008010000"]).contains("is a virtual address: kva resolve"))
  }

  @Test("Raw memory whose address lost a zero is told the right one")
  func lostZero() throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("raw.bin").path
      let read = try Kva.run(
        ["read", try dump(), "--physical", "0x40000000", "0x8000000", "--raw"], output: path)
      try #require(read.status == 0)
      let wrong = try Kva.run(["resolve", "\(path)@4000000", "init_task"])
      #expect(wrong.status == 2 && wrong.standardError.contains("did you mean 40000000?"))
      #expect(try Kva.run(["resolve", "\(path)@40000000", "init_task"]).status == 0)
    }
  }
}
