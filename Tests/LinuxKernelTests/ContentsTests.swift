import Foundation
import TestSupport
import Testing

/// What the dump itself tells of symbols, modules, areas and the log, against the running kernel's own lists.
struct ContentsTests {
  private static let whole = [
    ("c61-4k48-nokaslr", "vmcore.elf"), ("c61-4k48-nokaslr", "vmcore.d31-snappy"), ("c612-64k52", "vmcore.elf"),
    ("kdump-61-4k48", "vmcore.d31-zlib"),
  ]

  /// Those of kernels with types: c612-64k52 was built without BTF, so that modules and areas cannot be read.
  private static let typed = whole.filter { $0.0 != "c612-64k52" }

  private func objects(_ command: String, _ entry: DumpEntry, _ file: String) throws -> [[String: Any]] {
    try Kva.run([command, try entry.path(file), "--json", "--no-debuginfo"]).objects()
  }

  private func number(_ value: Any?) -> UInt64? {
    (value as? String).flatMap { UInt64($0.dropFirst(2), radix: 16) }
  }

  @Test("The kernel's symbols are those of /proc/kallsyms", arguments: whole)
  func symbols(_ name: String, _ file: String) throws {
    let entry = try DumpEntry.named(name)
    var wanted: Set<String> = []
    for line in try entry.lines("oracle/kallsyms.txt") where !line.contains("[") {
      let words = line.split(separator: " ", omittingEmptySubsequences: true)
      if words.count >= 3 { wanted.insert("\(words[0].drop { $0 == "0" }) \(words[1]) \(words[2])") }
    }
    let got = try objects("symbols", entry, file).filter { $0["module"] as? String == nil }.map {
      "\(String(number($0["address"]) ?? 0, radix: 16)) \($0["type"] as? String ?? "") \($0["name"] as? String ?? "")"
    }
    #expect(wanted.count > 20_000)
    #expect(Set(got) == wanted)
  }

  @Test("Modules are those of /proc/modules, in which their symbols have names", arguments: typed)
  func modules(_ name: String, _ file: String) throws {
    let entry = try DumpEntry.named(name)
    let got = try objects("modules", entry, file)
    let lines = try entry.lines("oracle/modules.txt").filter { !$0.isEmpty }
    #expect(got.count == lines.count && !lines.isEmpty)
    for line in lines {
      let words = line.split(separator: " ")
      let module = got.first { $0["name"] as? String == String(words[0]) }
      #expect(number(module?["address"]) == UInt64(words[5].dropFirst(2), radix: 16), "\(line)")
      #expect(module?["size"] as? Int == Int(words[1]), "\(line)")
      #expect(module?["refcount"] as? Int == Int(words[2]), "\(line)")
    }
  }

  @Test("Areas are those of /proc/vmallocinfo, their callers named as there", arguments: typed)
  func areas(_ name: String, _ file: String) throws {
    let entry = try DumpEntry.named(name)
    let got = try objects("vmalloc", entry, file)
    var rows = 0
    var missing = 0
    for line in try entry.lines("oracle/vmallocinfo.txt") {
      let words = line.split(separator: " ", omittingEmptySubsequences: true)
      guard words.count > 2, words[2].contains("+0x") else { continue }
      rows += 1
      let bounds = words[0].split(separator: "-").map { UInt64($0.dropFirst(2), radix: 16) }
      if !got.contains(where: {
        number($0["start"]) == bounds[0] && number($0["end"]) == bounds[1]
          && $0["caller"] as? String == String(words[2])
      }) {
        missing += 1
      }
    }
    // The list was taken a moment before the machine was stopped.
    #expect(rows > 30 && missing <= 3, "\(missing) of \(rows) are missing")
  }

  @Test("The log is what dmesg printed", arguments: whole)
  func log(_ name: String, _ file: String) throws {
    let entry = try DumpEntry.named(name)
    let got = Set(
      try objects("dmesg", entry, file).flatMap {
        ($0["text"] as? String ?? "").split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
      })
    let wanted = try entry.lines("oracle/dmesg.txt").map { line in
      let text = line.range(of: "] ").flatMap { line.hasPrefix("[") ? String(line[$0.upperBound...]) : nil } ?? line
      return text.trimmingCharacters(in: .whitespaces)
    }.filter { !$0.isEmpty }
    let missing = wanted.filter { !got.contains($0) }
    #expect(wanted.count > 50 && missing.count <= 2, "\(missing.prefix(3))")
  }

  @Test("Tasks, what runs where, and what their stacks are")
  func tasks() throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let path = try entry.path("vmcore.elf")
    let tasks = try objects("tasks", entry, "vmcore.elf")
    #expect(tasks.first?["comm"] as? String == "swapper/0")
    #expect(tasks.contains { $0["pid"] as? Int == 1 && $0["mm"] as? String != nil })
    #expect(tasks.contains { $0["comm"] as? String == "kthreadd" && $0["pid"] as? Int == 2 })
    let first = try #require(tasks.first { $0["pid"] as? Int == 1 })
    let stack = try #require(number(first["stack"]))
    let found = try Kva.run(["identify", path, "0x" + String(stack + 64, radix: 16), "--json"]).object()
    #expect(found["kind"] as? String == "task stack")
    #expect((found["task"] as? [String: Any])?["pid"] as? Int == 1)
    let poison = try Kva.run(["identify", path, "0xdead000000000122", "--json"]).object()
    #expect(poison["kind"] as? String == "poison")
    let perCPU = try Kva.run(["identify", path, "runqueues@cpu1", "--json"]).object()
    #expect((perCPU["perCPU"] as? [String: Any])?["cpu"] as? Int == 1)
    // The root that each stopped CPU had in TTBR0, by its registers.
    let registers = try entry.registers()
    let cpus = try Kva.run(["info", path, "--json"]).object()["cpus"] as? [[String: Any]]
    for (cpu, values) in registers.enumerated() {
      let mask: UInt64 = 0x0000_ffff_ffff_fffe
      #expect(number(cpus?[cpu]["ttbr0"]).map { $0 & mask } == values["TTBR0_EL1"].map { $0 & mask })
      #expect(number(cpus?[cpu]["ttbr1"]).map { $0 & mask } == values["TTBR1_EL1"].map { $0 & mask })
    }
  }
}
