import Foundation
import TestSupport
import Testing

/// Every object that every command prints is as man/schema and kva-json(5) describe it.
@Suite struct SchemaTests {
  /// The dumps of TestData: of tables alone, whole, and of makedumpfile.
  static let dumps: [Dump] = DumpEntry.testData.flatMap { entry in
    entry.elfDumps
      + ["vmcore.d31-zlib", "vmcore.d31-snappy", "vmcore.d31-zstd"].map { entry.dump($0) }.filter {
        FileManager.default.fileExists(atPath: entry.folder.appendingPathComponent($0.file).path)
      }
  }

  /// Addresses of every region and some that are none, symbols, and queries that are not understood.
  static let queries = [
    "init_task", "init_task+8", "runqueues@cpu1", "fuse:fuse_init", "_text", "vmap_area_list", "no_such_symbol", "a b",
    "0x0", "0x400000", "0xffff000000000000", "0xffff000000ca8000", "0xf3ff000000000000", "0xffff800008000000",
    "0xffff8000087d8100", "0xfffffc0000023f00", "0xfffffbfffe7fe000", "0xfffffbfffe800000", "0xffffffffffffffff",
    "0x6b6b6b6b6b6b6b6b", "0xdead000000000100", "0x00ff000000000000",
  ]

  /// Questions about a dump that every command with objects has one of.
  static func questions(_ queries: [String]) -> [(command: String, arguments: [String], options: [String])] {
    [
      ("info", [], []), ("resolve", queries, []), ("resolve", queries, ["walk", "verify"]),
      ("resolve", queries, ["ttbr0=1"]), ("resolve", queries, ["el2"]), ("identify", queries, []),
      ("read", ["init_task", "64"], []), ("read", ["0x1", "16"], []), ("read", ["0x40000000", "16"], ["physical"]),
      ("search", ["init_task"], ["region=kernel-image", "limit=20"]),
      ("read", ["init_task"], ["type=task_struct"]), ("read", ["0x1"], ["type=int"]),
      ("stack", [], ["all"]), ("stack", [], ["all", "group"]), ("stack", ["1"], ["scan"]), ("fault", [], []),
      ("regions", [], []), ("ptdump", [], []), ("audit", [], []), ("rmap", ["0x40210000", "0x42000000"], []),
      ("rmap", ["0x40210000"], ["all"]), ("symbols", ["*init*"], []),
      ("type", ["task_struct", "pid_type", "atomic_t", "no_such_type", "struct *_head"], []),
      ("list", ["module.list", "modules"], ["print=name,state"]), ("list", ["module.list", "0x1000"], []),
      ("tree", ["idr", "pid", "init_pid_ns.idr"], ["print=level"]),
      ("print", ["init_task", "init_task.comm", "runqueues@cpu0", "1 +", "jiffies", "&schedule", "*(int *)0"], []),
      ("type", ["task_struct"], ["offset=56"]), ("modules", [], []), ("vmalloc", [], []),
      ("tasks", [], []), ("maps", ["1"], []), ("files", ["1"], []), ("mounts", [], []), ("slab", [], []),
      ("slab", ["kmalloc-1*"], ["objects"]),
      ("slab", [], ["by-caller"]), ("slab", [], ["check"]),
      ("page", ["0x40210000", "262144", "pfn:0x40001", "0"], []), ("page", [], ["summary"]),
      ("dmesg", [], []), ("report", [], []),
    ]
  }

  @Test("Each command that answers questions has a schema, and each schema is tested")
  func complete() throws {
    let help = String(decoding: try Kva.run(["--help"]).output, as: UTF8.self)
    let list = try #require(help.range(of: "SUBCOMMANDS:\n")).upperBound
    let names = help[list...].split(separator: "\n").filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
      .compactMap { $0.split(whereSeparator: { " ,".contains($0) }).first.map(String.init) }.filter {
        $0.first?.isLowercase ?? false
      }
    #expect(names.contains("batch"))
    let schemas = try FileManager.default.contentsOfDirectory(
      atPath: Checkout.root.appendingPathComponent("man/schema").path
    ).map { String($0.dropLast(5)) }
    #expect(
      Set(schemas) == Set(names).subtracting(["shell", "gdbserver", "drgn", "export", "mcp", "view"]).union(["common"]))
    let tested = Self.questions([]).map(\.command) + ["layout", "diff", "batch", "common"]
    #expect(Set(schemas) == Set(tested))
  }

  @Test("Every object of every command, over each dump", arguments: dumps)
  func described(_ dump: Dump) throws {
    let path = try dump.path()
    let first = ["modules", "vmalloc", "tasks"].flatMap { list in
      ((try? Kva.run([list, path, "--json"]).objects()) ?? []).prefix(4).compactMap {
        $0["address"] as? String ?? $0["stack"] as? String ?? $0["start"] as? String
      }
    }
    let questions = Self.questions(Self.queries + first)
    var counts: [String: Int] = [:]
    var answers: [[String]] = []
    for (command, arguments, options) in questions {
      let schema = try JSONSchema(command: command)
      let lines = try Kva.run([command, path, "--json"] + arguments + options.map { "--\($0)" }).lines
      answers.append(lines)
      for line in lines {
        let problems = try schema.problems(try parseObject(line))
        #expect(problems.isEmpty, "\(command) \(arguments): \(problems) in \(line.prefix(2000))")
        counts[command, default: 0] += 1
      }
    }
    // `batch` wraps the same objects, to the byte.
    let requests = try questions.map { command, arguments, options in
      var members: [String: Any] = [:]
      for option in options {
        let parts = option.split(separator: "=").map(String.init)
        members[parts[0]] = parts.count > 1 ? parts[1] : true
      }
      let request: [String: Any] = ["command": command, "arguments": arguments, "options": members]
      return String(decoding: try JSONSerialization.data(withJSONObject: request), as: UTF8.self)
    }
    let batch = try Kva.run(["batch", path], input: requests.joined(separator: "\n")).lines
    try #require(batch.count == questions.count)
    let schema = try JSONSchema(command: "batch")
    for (answer, objects) in zip(batch, answers) {
      #expect(try schema.problems(try parseObject(answer)) == [])
      #expect(answer.hasPrefix("{\"id\":null,\"results\":[\(objects.joined(separator: ","))],"))
    }
    for command in ["info", "resolve", "identify", "read", "regions", "ptdump", "symbols", "report"] {
      #expect(counts[command] ?? 0 > 0, "\(command) printed nothing")
    }
  }

  @Test("Findings, hypervisors, layouts, answers of batch, dumps without a kernel and no dumps at all")
  func others() throws {
    try Scratch.withFolder { folder in
      func check(_ command: String, _ arguments: [String], input: String = "", status: Int32) throws {
        let result = try Kva.run([command] + arguments, input: input)
        #expect(result.status == status, "\(arguments): \(result.standardError)")
        let schema = try JSONSchema(command: command)
        let objects = try result.objects()
        #expect(!objects.isEmpty)
        for object in objects { #expect(try schema.problems(object) == [], "\(command) \(arguments)") }
      }
      let path = folder.appendingPathComponent("vmcore").path
      var spoilt = AuditedKernel()
      spoilt.change(AuditedKernel.vmalloc) { $0 & ~(1 << 53) & ~2 }
      spoilt.change(AuditedKernel.vmalloc) { $0 | 2 }
      try spoilt.write(to: path)
      try check("audit", [path, "--json"], status: 1)
      try check("report", [path, "--json"], status: 0)
      let requests = ["{}", #"{"id":"a","command":"audit"}"#, #"{"id":1.5,"command":"info","options":{"json":false}}"#]
      try check("batch", [path], input: requests.joined(separator: "\n"), status: 0)
      let map = folder.appendingPathComponent("System.map").path
      var hypervisor = HypervisorKernel()
      hypervisor.nameVariables("hyp_pgtable")
      try hypervisor.write(to: path, map: map)
      let addresses = ["0xa5c000006123", "0x40005abc", "0x40002800", "0x40001ff8", "0x40003004", "0x400000"]
      for command in ["resolve", "ptdump", "info"] {
        let words = command == "info" ? [] : command == "resolve" ? ["--el2"] + addresses : ["--el2"]
        let objects = try Kva.run([command, path, "--json", "--system-map", map] + words).objects()
        #expect(!objects.isEmpty)
        let schema = try JSONSchema(command: command)
        for object in objects { #expect(try schema.problems(object) == [], "\(command) \(words)") }
      }
      var bare = HandmadeKernel()
      bare.vmcoreinfo = []
      bare.memory = .zeros(16 << 12)
      try bare.core.write(to: path)
      try check("info", [path, "--json"], status: 1)
      try check("report", [path, "--json"], status: 1)
      try "no dump".write(toFile: path, atomically: true, encoding: .utf8)
      try check("report", [path, "--json"], status: 2)
      var other = AuditedKernel()
      other.change(AuditedKernel.text) { $0 & ~0x80 }
      try other.write(to: path)
      let before = folder.appendingPathComponent("before").path
      try AuditedKernel().write(to: before)
      try check("diff", [before, path, "--json"], status: 1)
      for arguments in [
        ["5.11", "64K", "52"], ["6.12", "4K", "52", "--kasan", "generic"], ["5.4", "64K", "52", "--actual", "48"],
      ] {
        let words = ["--kernel", arguments[0], "--page-size", arguments[1], "--va-bits", arguments[2]]
        try check("layout", words + arguments.dropFirst(3) + ["--json"], status: 0)
      }
    }
  }

  @Test("The validator itself sees what is wrong")
  func validator() throws {
    let schema = try JSONSchema(command: "symbols")
    let good = #"{"name":"a","address":"0x10","type":"T","module":null}"#
    #expect(try schema.problems(try parseObject(good)) == [])
    for (what, with) in [
      (#""a""#, "1"), ("0x10", "0x010"), ("0x10", "10"), ("null", "true"), ("null", "7"), ("\"T\"", "\"TT\""),
      (#","module":null"#, ""), ("null}", #"null,"more":1}"#),
    ] {
      let bad = good.replacingOccurrences(of: what, with: with)
      #expect(try schema.problems(try parseObject(bad)).count == 1, "\(bad)")
    }
    let read = try JSONSchema(command: "tasks")
    let task =
      #"{"pid":1,"tgid":1,"comm":"x","cpu":0,"state":"R","task":"0x1","stack":"0x0","mm":null,"ttbr0":null,"asid":null,"ppid":null,"uid":null,"startTime":1,"lastRun":2}"#
    #expect(try read.problems(try parseObject(task)) == [])
    for (what, with) in [
      (#""pid":1"#, #""pid":true"#), (#""pid":1"#, #""pid":-1"#), (#""R""#, #""Q""#), (":0", ":0.5"),
    ] {
      let bad = task.replacingOccurrences(of: what, with: with)
      #expect(try read.problems(try parseObject(bad)).count == 1, "\(bad)")
    }
  }

  @Test("kva-json(5) describes each command and each field of the schemas, as what it is")
  func page() throws {
    let text = try String(contentsOf: Checkout.root.appendingPathComponent("man/kva-json.5"), encoding: .utf8)
    let folder = Checkout.root.appendingPathComponent("man/schema")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(files.count >= 17)
    for file in files {
      let data = try Data(contentsOf: folder.appendingPathComponent(file))
      let schema = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
      let command = String(file.dropLast(5))
      if command != "common" { #expect(text.contains("\n.Ss \(command)\n"), "no section \(command)") }
      for (field, isRequired) in Self.fields(schema) {
        let items = text.split(separator: "\n").filter { $0.hasPrefix(".It Va \(field) No (") }
        #expect(!items.isEmpty, "\(file): \(field) is not described")
        #expect(
          items.contains { $0.contains("may be absent") != isRequired }, "\(file): \(field), whether it may be absent")
      }
    }
  }

  /// The names of all properties in a schema, and whether each must be there.
  private static func fields(_ schema: Any) -> [(String, Bool)] {
    var result: [(String, Bool)] = []
    if let object = schema as? [String: Any] {
      let required = object["required"] as? [String] ?? []
      if object["type"] != nil, let properties = object["properties"] as? [String: Any] {
        result += properties.keys.map { ($0, required.contains($0)) }
      }
      for part in object.values { result += fields(part) }
    } else if let array = schema as? [Any] {
      for part in array { result += fields(part) }
    }
    return result
  }
}
