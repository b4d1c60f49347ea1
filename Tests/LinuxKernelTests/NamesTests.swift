import Foundation
import KernelVA
import TestSupport
import Testing

/// Names of modules' symbols, of per-CPU variables and of tasks, against the running kernel's own lists.
struct NamesTests {
  private static let whole = [("c61-4k48-nokaslr", "vmcore.elf"), ("kdump-61-4k48", "vmcore.d31-zlib")]

  private func number(_ value: Any?) -> UInt64? { (value as? String).flatMap { UInt64($0.dropFirst(2), radix: 16) } }

  @Test("Modules' symbols are those of /proc/kallsyms, found by name and by address", arguments: whole)
  func moduleSymbols(_ name: String, _ file: String) throws {
    let entry = try DumpEntry.named(name)
    let path = try entry.path(file)
    var wanted: Set<String> = []
    var text: [(address: UInt64, name: String, module: String)] = []
    for line in try entry.lines("oracle/kallsyms.txt") {
      let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
      guard words.count == 4 else { continue }
      let module = String(words[3].dropFirst().dropLast())
      wanted.insert("\(try parseAddress(words[0])) \(words[2]) \(module)")
      guard module != "bpf" else { continue }
      if words[1] == "t" || words[1] == "T" { text.append((try parseAddress(words[0]), words[2], module)) }
    }
    #expect(wanted.count > 400)
    let listed = try Kva.run(["symbols", path, "--json"]).objects().compactMap { object -> String? in
      guard let module = object["module"] as? String else { return nil }
      return "\(number(object["address"]) ?? 0) \(object["name"] as? String ?? "") \(module)"
    }
    #expect(Set(listed) == wanted)
    // By name in its module, and four bytes into it; names that stand once, at an address of their own.
    let single = text.filter { one in text.count { $0.name == one.name || $0.address == one.address } == 1 }
    let asked = stride(from: 0, to: single.count, by: 7).map { single[$0] }
    let queries = asked.map { "\($0.module):\($0.name)" } + asked.map { "0x" + String($0.address + 4, radix: 16) }
    let answers = try Kva.run(["resolve", path, "--json"], input: queries.joined(separator: "\n")).objects()
    try #require(answers.count == 2 * asked.count && asked.count > 20)
    for (place, one) in asked.enumerated() {
      #expect(number(answers[place]["virtual"]) == one.address, "\(one)")
      let inside = answers[asked.count + place]
      #expect(inside["symbol"] as? String == one.name && inside["module"] as? String == one.module, "\(one)")
      #expect(inside["offset"] as? Int == 4, "\(one)")
    }
    // One of no module, and one of another.
    let absent = try Kva.run(["resolve", path, "nosuch:\(asked[0].name)", "\(asked[0].module):nosuch_name"])
    #expect(absent.status == 1)
  }

  @Test("A per-CPU variable of a CPU is as far from its template as the kernel's table says")
  func perCPU() throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let path = try entry.path("vmcore.elf")
    let symbols = try entry.kallsyms()
    let facts = try entry.facts()
    let table = try #require(symbols["__per_cpu_offset"])
    let core = try CoreReader(path: path)
    for cpu in 0..<2 {
      let offset = try #require(try core.word(table &- facts.kimageVoffset + UInt64(cpu) * 8))
      for name in ["runqueues", "__entry_task", "cpu_number"] {
        let template = try #require(symbols[name])
        let answer = try Kva.run(["resolve", path, "\(name)@cpu\(cpu)", "--json"]).object()
        #expect(number(answer["virtual"]) == template &+ offset, "\(name)@cpu\(cpu)")
        #expect(answer["status"] as? String == "mapped")
        // And back: whose it is.
        let found = try Kva.run(["identify", path, "0x" + String(template &+ offset + 1, radix: 16), "--json"]).object()
        let variable = found["perCPU"] as? [String: Any]
        #expect(variable?["cpu"] as? Int == cpu && variable?["offset"] as? Int == 1, "\(name)@cpu\(cpu)")
      }
    }
    let absent = try Kva.run(["resolve", path, "runqueues@cpu2", "--json"])
    #expect(try absent.status == 1 && absent.object()["status"] as? String == "unknown-symbol")
  }

  @Test("Processes are those that ps showed", arguments: whole)
  func processes(_ name: String, _ file: String) throws {
    let entry = try DumpEntry.named(name)
    try checkProcesses(entry, path: entry.path(file))
  }

  @Test("Without types tasks are told by their shape, and their tables lead where the MMU went")
  func shape() throws {
    let entry = try DumpEntry.named("c612-64k52")
    let path = try entry.path("vmcore.elf")
    try checkProcesses(entry, path: path)
    let info = try Kva.run(["info", path, "--json"]).object()
    #expect((info["sources"] as? [String: Any])?["types"] as? String == "VMCOREINFO, the shape of init_task")
    let (cpu, samples) = try #require(try entry.mmu().userSamples.first)
    let pid = try #require((info["cpus"] as? [[String: Any]])?[cpu]["pid"] as? Int)
    let mapped = samples.filter { $0.physical != nil }
    try #require(mapped.count > 50)
    for tables in ["cpu\(cpu)", "\(pid)"] {
      let answers = try Kva.run(
        ["resolve", path, "--json", "--ttbr0", tables],
        input: mapped.map { "0x\(String($0.virtual, radix: 16))\n" }.joined()
      ).objects()
      #expect(
        answers.map { $0["physical"] as? String } == mapped.map { $0.physical.map { "0x" + String($0, radix: 16) } },
        "\(tables)")
    }
  }

  /// Holds the tasks against `ps`, which ended before the machine was stopped.
  private func checkProcesses(_ entry: DumpEntry, path: String) throws {
    let tasks = try Kva.run(["tasks", path, "--json"]).objects()
    let leaders = tasks.filter { $0["pid"] as? Int == $0["tgid"] as? Int }
    let lines = try entry.lines("oracle/ps.txt").dropFirst()
    var shown: Set<Int> = [0]
    for line in lines where !line.contains("{ps}") {
      let words = line.split(separator: " ")
      let command = words[2]
      let pid = try #require(Int(words[0]))
      shown.insert(pid)
      let task = leaders.first { $0["pid"] as? Int == pid }
      let comm = try #require(task?["comm"] as? String, "\(line)")
      // A kernel thread stands in brackets, a worker with what it does behind its name; else the name in braces.
      let isKernel = command.hasPrefix("[")
      let text = command.dropFirst().prefix { $0 != "]" && $0 != "}" }
      if isKernel || command.hasPrefix("{") {
        #expect(text == comm || comm.hasPrefix("kworker/") && text.hasPrefix(comm + "-"), "\(line)")
      }
      #expect((task?["mm"] is NSNull) == isKernel, "\(line)")
    }
    #expect(lines.count > 30)
    // A few were started since.
    #expect(leaders.count { !shown.contains($0["pid"] as? Int ?? 0) } <= 3)
  }

  // MARK: - A kernel whose kallsyms names functions only

  private static let functionsOnly = DumpEntry.corpus.first { $0.name == "deb61-4k48-kvm-nvhe" }

  @Test(
    "Where kallsyms names functions only, modules, tasks and zones are found all the same",
    .enabled(if: functionsOnly != nil, "no corpus here: set KVA_CORPUS"))
  func withoutDataNames() throws {
    let entry = try #require(Self.functionsOnly)
    let path = try entry.path("vmcore.elf")
    let modules = try Kva.run(["modules", path, "--json"]).objects()
    let lines = try entry.lines("oracle/modules.txt")
    #expect(modules.compactMap { $0["name"] as? String } == lines.map { String($0.prefix { $0 != " " }) })
    try checkProcesses(entry, path: path)
    // Debian's kernel is made for many nodes; all memory is in the one zone that spans any.
    let first = try #require(try Kva.run(["tasks", path, "--json"]).objects()[1]["task"] as? String)
    let frame = try Kva.run(["identify", path, first, "--json"]).object()["frame"] as? [String: Any]
    #expect(frame?["zone"] as? String == "DMA")
  }

  @Test(
    "Zones are those of every node that has its own number",
    .enabled(if: functionsOnly != nil, "no corpus here: set KVA_CORPUS"))
  func zones() throws {
    let entry = try #require(Self.functionsOnly)
    let original = try entry.path("vmcore.elf")
    let facts = try entry.facts()
    let numberAt = try #require(try entry.vmcoreinfo()["OFFSET(pglist_data.node_id)"].flatMap { UInt64($0) })
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      let core = try PatchedCore(copying: original, to: path, root: facts.swapperPgDir &- facts.kimageVoffset)
      func zone() throws -> String? {
        let task = try Kva.run(["tasks", path, "--json"]).objects()[1]["task"] as? String ?? ""
        let frame = try Kva.run(["identify", path, task, "--json"]).object()["frame"] as? [String: Any]
        return frame?["zone"] as? String
      }
      let table = try #require(number(try Kva.run(["resolve", path, "node_data", "--json"]).object()["virtual"]))
      let node = try core.word(table)
      #expect(try core.half(node + numberAt) == 0)
      // The same node as number 2 of the table, the first two being absent.
      try core.set(0, at: table)
      try core.set(node, at: table + 16)
      #expect(try zone() == nil)
      try core.set([2, 0, 0, 0], at: node + numberAt)
      #expect(try zone() == "DMA")
      // What stands in the table and is no node leads nowhere.
      try core.set(0xffff_0000_0000_0000, at: table)
      try core.set(.max, at: table + 8)
      #expect(try zone() == "DMA")
    }
  }

  @Test(
    "A module's own types continue the kernel's",
    .enabled(if: functionsOnly != nil, "no corpus here: set KVA_CORPUS"))
  func moduleTypes() throws {
    let entry = try #require(Self.functionsOnly)
    let kernel = try Kernel(in: DumpFile(path: entry.path("vmcore.elf")))
    // drivers/block/loop.c of 6.1: int lo_number; loff_t lo_offset, lo_sizelimit; int lo_flags;
    // char lo_file_name[64]; struct file *lo_backing_file.
    let sources = kernel.types(ofModule: "loop")
    let (types, note) = (sources.types, sources.note)
    #expect(note == nil)
    #expect(types.member("lo_offset", of: "loop_device") == TypeMember(offset: 8, size: 8))
    #expect(types.member("lo_flags", of: "loop_device") == TypeMember(offset: 24, size: 4))
    #expect(types.member("lo_file_name", of: "loop_device") == TypeMember(offset: 28, size: 64))
    #expect(types.member("lo_backing_file", of: "loop_device") == TypeMember(offset: 96, size: 8))
    // The kernel's own types are there too, and know nothing of the module's.
    #expect(types.member("list", of: "module") == TypeMember(offset: 8, size: 16))
    #expect(kernel.types(ofModule: nil).types.size(of: "loop_device") == nil)
    #expect(kernel.types(ofModule: "squashfs").types.size(of: "loop_device") == nil)
    #expect(kernel.types(ofModule: "nosuch").note != nil)
  }

  @Test("Of a kernel that keeps no BTF of modules this is said")
  func noModuleTypes() throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let kernel = try Kernel(in: DumpFile(path: entry.path("vmcore.elf")))
    let sources = kernel.types(ofModule: "fuse")
    let (types, note) = (sources.types, sources.note)
    #expect(note?.contains("CONFIG_DEBUG_INFO_BTF_MODULES") == true)
    #expect(types.member("list", of: "module") == TypeMember(offset: 8, size: 16))
  }
}
