import Foundation
import TestSupport
import Testing

/// Values of expressions, against drgn, against what the test module logged, and against C.
@Suite struct PrintTests {
  private static let rich = DumpEntry.all.filter { $0.has("oracle/rich/drgn.json") }.flatMap(\.elfDumps)
  private static let plain = "c61-4k48-nokaslr"

  /// Whether `mine` is what drgn says, an array of characters as text.
  private static func differences(_ wanted: Any, _ mine: Any?, _ path: String) -> [String] {
    if let members = wanted as? [String: Any] {
      let object = mine as? [String: Any]
      return members.flatMap { differences($0.value, object?[$0.key], "\(path).\($0.key)") }
    }
    if let elements = wanted as? [Any] {
      if let text = mine as? String {
        let bytes = elements.compactMap { $0 as? Int }.prefix { $0 != 0 }.map { UInt8(truncatingIfNeeded: $0) }
        return String(decoding: bytes, as: UTF8.self) == text ? [] : ["\(path): \(text)"]
      }
      let list = mine as? [Any] ?? []
      return elements.enumerated().flatMap { index, element in
        differences(element, index < list.count ? list[index] : nil, "\(path)[\(index)]")
      }
    }
    guard let wanted = wanted as? NSNumber else { return [] }
    if let text = mine as? String, text.utf8.count > 18 {
      return UInt128(text.dropFirst(2), radix: 16)?.description == wanted.description ? [] : ["\(path): \(text)"]
    }
    let bits = UInt64(bitPattern: wanted.int64Value)
    let found: UInt64? =
      if let text = mine as? String {
        text.hasPrefix("-") ? nil : UInt64(text.dropFirst(2), radix: 16)
      } else {
        (mine as? NSNumber).map { UInt64(bitPattern: $0.int64Value) }
      }
    return found == bits || found == wanted.uint64Value ? [] : ["\(path): \(wanted), not \(mine ?? "nothing")"]
  }

  @Test("Whole structures are what drgn reads by DWARF", .enabled(if: !rich.isEmpty), arguments: rich)
  func drgn(_ dump: Dump) throws {
    let oracle = try #require(
      JSONSerialization.jsonObject(with: dump.entry.data("oracle/rich/drgn.json")) as? [String: Any])
    let values = try #require(oracle["values"] as? [[String: Any]]).filter { value in
      value["error"] == nil && (value["value"] as? [String: Any]).map { $0["error"] == nil } ?? false
        && (value["type"] as? String)?.hasPrefix("struct ") ?? false
    }
    let questions = values.map { "*(\($0["type"] as? String ?? "") *)\($0["address"] as? String ?? "")" }
    let answers = try Kva.run(["print", dump.path(), "--json"], input: questions.joined(separator: "\n")).objects()
    try #require(answers.count == values.count)
    var bad: [String] = []
    for (value, answer) in zip(values, answers) {
      bad += Self.differences(value["value"] ?? 0, answer["value"], value["what"] as? String ?? "")
    }
    #expect(values.count > 5)
    #expect(bad.isEmpty, "\(bad.prefix(5))")
  }

  @Test("A dentry's name, whose type is unsigned char, is shown")
  func names() throws {
    // The file that the dying task wrote to, by its open files; the log tells what was written there.
    let dump = try DumpEntry.named("oops-612-null").dump("vmcore.d31-elf").path()
    let files = try Kva.run(["files", dump, "2197", "--json"]).objects()
    let file = try #require(files.first { $0["fd"] as? Int == 1 }?["file"] as? String)
    let name = "((struct file *)\(file))->f_path.dentry->d_name.name"
    #expect(try Kva.run(["print", dump, name]).lines.last?.hasSuffix(" \"DIRECT\"") ?? false)
  }

  @Test("Bit fields, unions, enumerators and text of the test module", .enabled(if: !rich.isEmpty), arguments: rich)
  func samples(_ dump: Dump) throws {
    guard dump.entry.has("oracle/rich/kvatest.txt") else { return }
    for line in try dump.entry.lines("oracle/rich/kvatest.txt") where line.hasPrefix("KVATEST sample ") {
      var logged: [String: String] = [:]
      for word in line.split(separator: " ").dropFirst(2) {
        let parts = word.split(separator: "=", maxSplits: 1)
        logged[String(parts[0])] = String(parts[parts.count - 1])
      }
      let address = try #require(logged["address"])
      let sample = "((struct kva_sample *)0x\(address))"
      let answers = try Kva.run(
        ["print", dump.path(), "--json"]
          + ["magic", "negative", "bits3", "bits5", "signed4", "name", "as_u64", "inner.b[2]", "colour"].map {
            "\(sample)->\($0)"
          }
      ).objects().map { $0["value"] }
      let magic = try #require(UInt64(logged["magic"] ?? "", radix: 16))
      #expect(answers[0] as? String == "0x" + String(magic, radix: 16))
      #expect(answers[1] as? Int == Int(logged["negative"] ?? "") && answers[2] as? Int == Int(logged["bits3"] ?? ""))
      #expect(answers[3] as? Int == Int(logged["bits5"] ?? "") && answers[4] as? Int == Int(logged["signed4"] ?? ""))
      #expect(answers[5] as? String == logged["name"] && answers[6] as? Int == 0xfeed && answers[7] as? Int == -3)
    }
  }

  private func printed(_ expressions: [String]) throws -> [String] {
    try Kva.run(["print", DumpEntry.named(Self.plain).path("vmcore.elf"), "--"] + expressions).lines
  }

  @Test("Operators are those of C, with its types")
  func arithmetic() throws {
    let rows = [
      ("1 + 2 * 3", "(int)7"), ("(1 + 2) * 3", "(int)9"), ("-1 < 1u", "(int)0"), ("-1 < 1", "(int)1"),
      ("7 / 2", "(int)3"), ("-7 / 2", "(int)-3"), ("-7 % 3", "(int)-1"), ("1 << 31 >> 31", "(int)-1"),
      ("1ul << 40", "(unsigned long)1099511627776"), ("0xffffffff", "(unsigned int)4294967295"),
      ("2147483648", "(long)2147483648"), ("~0u", "(unsigned int)4294967295"), ("!5", "(int)0"),
      ("1 ? 2 : 3", "(int)2"), ("0 && 1 / 0", "(int)0"), ("1 || 1 / 0", "(int)1"), ("5 & 3 | 8 ^ 1", "(int)9"),
      ("1 == 1 != 0", "(int)1"), ("(unsigned char)300", "(unsigned char)44"), ("(signed char)200", "(signed char)-56"),
      ("sizeof(long)", "(unsigned long)8"), ("sizeof(char [10])", "(unsigned long)10"), ("'a' + 1", "(int)98"),
      ("010", "(int)8"), ("(unsigned short)-1", "(short unsigned int)65535"),
    ]
    let lines = try printed(rows.map(\.0))
    try #require(lines.count == rows.count)
    for (row, line) in zip(rows, lines) {
      let isSame = line == row.1 || line.replacingOccurrences(of: "unsigned short", with: "short unsigned int") == row.1
      #expect(isSame, "\(row.0) = \(line), not \(row.1)")
    }
  }

  @Test("Symbols, per-CPU variables, members and pointers")
  func symbols() throws {
    // The kernel's listing has the addresses; the idle task is swapper/0, PID 0, and the first process PID 1.
    let entry = try DumpEntry.named(Self.plain)
    let address = try #require(
      entry.lines("oracle/kallsyms.txt").first { $0.hasSuffix(" D init_task") }?.split(separator: " ").first)
    let lines = try printed([
      "init_task.comm", "init_task.pid", "&init_task", "init_task.parent == &init_task",
      "container_of(init_task.tasks.next, struct task_struct, tasks)->pid", "per_cpu(runqueues, 1).cpu",
      "runqueues@cpu1.cpu", "runqueues:1.cpu", "init_task.comm[0:4]", "*init_task.comm", "PIDTYPE_SID",
      "(long)&init_task.tasks - (long)&init_task == offsetof(struct task_struct, tasks)",
    ])
    #expect(lines[0] == "(char [16])\"swapper/0\"" && lines[1] == "(pid_t)0")
    #expect(lines[2] == "(struct task_struct *)0x\(address) <init_task>" && lines[3] == "(int)1")
    #expect(lines[4] == "(pid_t)1" && lines[5...7].allSatisfy { $0 == "(int)1" })
    #expect(lines[8] == "(char [4])\"swap\"" && lines[9].hasSuffix(")115"))
    #expect(lines[10] == "(enum pid_type)PIDTYPE_SID" && lines[11] == "(int)1")
  }

  @Test("Values of enumerations are named, those of flags bit by bit")
  func enumerations() throws {
    // include/linux/kernfs.h and include/linux/pid_types.h of 6.1
    let rows = [
      ("(enum kernfs_node_flag)0x50", "KERNFS_ACTIVATED|KERNFS_HAS_SEQ_SHOW"),
      ("(enum kernfs_node_flag)0x10", "KERNFS_ACTIVATED"), ("(enum kernfs_node_flag)0x8050", "32848"),
      ("(enum kernfs_node_flag)0", "0"), ("(enum pid_type)1", "PIDTYPE_TGID"), ("(enum pid_type)99", "99"),
    ]
    let lines = try printed(rows.map(\.0))
    try #require(lines.count == rows.count)
    for (row, line) in zip(rows, lines) {
      #expect(line.split(separator: ")").last.map(String.init) == row.1, "\(line)")
    }
  }

  @Test("A global is believed to be of its well-known type only if what it holds agrees")
  func globals() throws {
    let entry = try DumpEntry.named(Self.plain)
    let facts = try entry.facts()
    let symbols = try entry.kallsyms()
    try Scratch.withFolder { folder in
      let core = try PatchedCore(
        copying: try entry.path("vmcore.elf"), to: folder.appendingPathComponent("vmcore").path,
        root: facts.swapperPgDir &- facts.kimageVoffset)
      // Text in a member, a list that leads back, and a pointer to a symbol.
      let modules = try #require(symbols["modules"])
      let value = try Kva.run(["print", core.path, "&init_net.user_ns", "--json"]).object()["value"]
      let owner = try parseAddress(try #require(value as? String))
      let changes: [(name: String, change: () throws -> Void)] = [
        ("init_task", { try core.replaceAll(Array("swapper/0\0".utf8), with: Array("sw4pper/0\0".utf8)) }),
        ("modules", { try core.set(0, at: core.word(modules) + 8) }),
        ("init_net", { try core.set(0, at: owner) }),
      ]
      for (name, change) in changes {
        #expect(try Kva.run(["print", core.path, "sizeof(\(name))", "--no-debuginfo"]).status == 0, "\(name)")
        try change()
        let result = try Kva.run(["print", core.path, "sizeof(\(name))", "--no-debuginfo"])
        #expect(
          result.status == 1 && result.standardError.contains("nothing describes the type of '\(name)'"),
          "\(result.standardError)")
        try core.restore()
      }
    }
  }

  /// Mistakes, the part of each that is marked, and a word of what is said.
  static let mistakes: [(String, String, String)] = [
    ("init_task.pidd", "pidd", "did you mean pid"), ("init_tsk", "init_tsk", "did you mean init_task"),
    ("init_task->pid", "init_task", "use ."), ("init_task.parent.pid", "init_task.parent", "use ->"),
    ("init_task.", ".", "name of a member"), ("init_task..pid", ".", "name of a member"),
    ("(struct task_struct *)init_task", "init_task", "& before it"),
    ("*(struct tsk *)0", "struct tsk *", "no type 'struct tsk'"), ("1 +", "+", "value is missing"),
    ("(1 + 2", "(", "not closed"), ("init_task.comm[1", "[", "not closed"), ("1 + 2)", ")", "nothing was opened"),
    ("a b", "b", "operator is missing"), ("init_task.comm[99]", "99", "0 to 15"), ("jiffies = 3", "=", "only read"),
    ("jiffies++", "++", "only read"), ("schedule()", "(", "calls no functions"), ("\"abc\"", "\"abc\"", "no strings"),
    ("$pc", "$", "no registers"), ("1 / 0", "0", "division by zero"), ("1 << 70", "70", "0 to 31"),
    ("0x12345678901234567", "0x12345678901234567", "64 bits"), ("12ab", "12ab", "0x12ab"),
    ("*5", "5", "no pointer"), ("*(void *)5", "(void *)5", "no type"), ("&5", "5", "no place in memory"),
    ("sizeof(struct nope)", "struct nope", "no type"), ("runqueues", "runqueues", "runqueues@cpu0"),
    ("runqueues@cpu99", "runqueues@cpu99", "no CPU 99"), ("runqueues@foo", "runqueues@foo", "not a CPU"),
    ("init_task@cpu0", "init_task@cpu0", "no per-CPU"), ("nomod:foo", "nomod:foo", "no module 'nomod'"),
    ("struct task_struct", "struct task_struct", "a type is no value"), ("task_struct", "task_struct", "is a type"),
    ("(long double)1", "long double", "not a type"), ("-init_task.stack", "-init_task.stack", "not a pointer"),
    ("offsetof(struct task_struct, nope)", "nope", "no member 'nope'"), ("1 ? 2", "2", "':' is expected"),
    ("'ab'", "'ab'", "character constant"), ("init_task.comm[3:1]", "1", "before it begins"),
    ("init_task.pid.x", "init_task.pid", "has no members"), ("swapper_pg_dir + 1", "swapper_pg_dir", "cast it"),
    ("per_cpu(init_task.pid, 0)", "init_task.pid", "name of a variable"), ("1, 2", ",", "several arguments"),
  ]

  @Test("Each mistake gets one line with the place marked")
  func errors() throws {
    #expect(Self.mistakes.count >= 30)
    let path = try DumpEntry.named(Self.plain).path("vmcore.elf")
    let requests = Self.mistakes.map { #"{"command":"print","arguments":[\#(Self.json($0.0))]}"# }
    let answers = try Kva.run(["batch", path], input: requests.joined(separator: "\n")).objects()
    try #require(answers.count == Self.mistakes.count)
    for ((text, part, words), answer) in zip(Self.mistakes, answers) {
      let errors = answer["errors"] as? [[String: Any]] ?? []
      let message = errors.first?["message"] as? String ?? ""
      #expect(errors.count == 1 && answer["status"] as? Int == 1, "\(text)")
      #expect(message.contains(">>>\(part)<<<"), "\(text): \(message)")
      #expect(message.contains(words) && !message.contains("\n"), "\(text): \(message)")
      #expect(
        message.replacingOccurrences(of: ">>>", with: "").replacingOccurrences(of: "<<<", with: "").hasPrefix(text))
    }
  }

  private static func json(_ text: String) -> String {
    String(decoding: (try? JSONEncoder().encode(text)) ?? Data(), as: UTF8.self)
  }

  @Test("The shell's struct takes crash's arguments")
  func shell() throws {
    let path = try DumpEntry.named(Self.plain).path("vmcore.elf")
    let script = "struct task_struct.pid,comm init_task\nstruct list_head\nstruct task_struct.pid\np runqueues:1.cpu\n"
    let lines = try Kva.run(["shell", path], input: script).lines
    #expect(lines.prefix(3) == ["(pid_t)0", "(char [16])\"swapper/0\"", "struct list_head {"])
    #expect(lines.contains { $0.hasPrefix("pid_t pid;  /* offset 0x") } && lines.last == "(int)1")
  }

  @Test("Depth and width are bounded, and memory that is not there is told")
  func bounds() throws {
    let shallow = try Kva.run([
      "print", DumpEntry.named(Self.plain).path("vmcore.elf"), "init_task.tasks", "init_task.comm[0:3]", "--depth", "0",
    ]).lines
    #expect(shallow == ["(struct list_head){ ... }", "(char [3])\"swa\""])
    let missing = try Kva.run(["print", DumpEntry.named(Self.plain).path("vmcore.elf"), "*(int *)0xffff7ffffffff000"])
    #expect(missing.status == 1 && missing.output.isEmpty && missing.standardError.contains("is not mapped"))
  }

  @Test("Why memory is unreadable has a code")
  func codes() throws {
    let rows = [
      ("*(int *)0xffff7ffffffff000", "entry-invalid"), ("*(struct list_head *)0xffff7ffffffff000", "entry-invalid"),
      ("*(int *)8", "entry-invalid"), ("*(int *)0x10000", "user-address"),

      ("1 +", "expression-invalid"), ("*(struct nothing_at_all *)0", "no-such-type"),
    ]
    let requests = rows.map { #"{"command":"print","arguments":[\#(Self.json($0.0))]}"# }
    let path = try DumpEntry.named(Self.plain).path("vmcore.elf")
    let answers = try Kva.run(["batch", path], input: requests.joined(separator: "\n")).objects()
    try #require(answers.count == rows.count)
    for (row, answer) in zip(rows, answers) {
      let codes = (answer["errors"] as? [[String: Any]] ?? []).map { $0["code"] as? String }
      #expect(codes == [row.1], "\(row.0): \(answer)")
    }
    // A page that was left out of the dump: of a file, by makedumpfile -d 31.
    let filtered = try DumpEntry.named("oops-612-null").dump("vmcore.d31-elf").path()
    let file = try #require(
      try Kva.run(["page", filtered, "--all", "--json"]).objects().first {
        $0["use"] as? String == "file" && $0["physical"] is String
      })
    let physical = try #require(file["physical"] as? String)
    let linear = try Kva.run(["rmap", filtered, physical, "--json"]).objects().first?["virtual"] as? String
    let address = try #require(linear)
    let answer = try Kva.run(["batch", filtered], input: #"{"command":"print","arguments":["*(long *)\#(address)"]}"#)
    let error = try #require((answer.object()["errors"] as? [[String: Any]])?.first)
    #expect(["page-filtered", "page-not-in-dump"].contains(error["code"] as? String), "\(error)")
  }
}
