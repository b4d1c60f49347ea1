import Foundation
import TestSupport
import Testing

/// What lists leave out when asked, against the kernel's own listings.
@Suite struct FilterTests {
  private static let name = "c61-4k48-nokaslr"
  private static let rich = DumpEntry.all.filter { $0.has("oracle/rich/status.txt") }.flatMap(\.elfDumps)

  private func run(_ command: String, _ arguments: [String]) throws -> ProcessResult {
    try Kva.run([command, DumpEntry.named(Self.name).path("vmcore.elf")] + arguments)
  }

  private func names(_ command: String, _ arguments: [String], _ key: String = "name") throws -> [String] {
    try run(command, arguments + ["--json"]).objects().map { $0[key] as? String ?? "" }
  }

  @Test("Parents, users and threads are those of /proc/PID/status", .enabled(if: !rich.isEmpty), arguments: rich)
  func status(_ dump: Dump) throws {
    var tasks: [Int: [String: Any]] = [:]
    for task in try Kva.run(["tasks", dump.path(), "--json"]).objects() {
      tasks[try #require(task["pid"] as? Int)] = task
    }
    var fields: [String: Int] = [:]
    var compared = 0
    for line in try dump.entry.lines("oracle/rich/status.txt") {
      let words = line.split(whereSeparator: { $0 == "\t" || $0 == ":" })
      if words.count > 1, ["Tgid", "Pid", "PPid"].contains(words[0]) { fields[String(words[0])] = Int(words[1]) }
      // The second is the effective one.
      guard words.count > 2, words[0] == "Uid", let pid = fields["Pid"], let task = tasks[pid] else { continue }
      #expect(task["ppid"] as? Int == fields["PPid"], "\(pid)")
      #expect(task["tgid"] as? Int == fields["Tgid"], "\(pid)")
      #expect(task["uid"] as? Int == Int(words[2]), "\(pid)")
      compared += 1
    }
    #expect(compared > 30)
  }

  @Test("Start times and parents are those that drgn reads", .enabled(if: !rich.isEmpty), arguments: rich)
  func starts(_ dump: Dump) throws {
    var tasks: [String: [String: Any]] = [:]
    for task in try Kva.run(["tasks", dump.path(), "--json"]).objects() { tasks[task["task"] as? String ?? ""] = task }
    let oracle = try JSONSerialization.jsonObject(with: dump.entry.data("oracle/rich/drgn.json")) as? [String: Any]
    let wanted = try #require(oracle?["tasks"] as? [[String: Any]])
    for task in wanted where task["pid"] as? Int != 0 {
      let found = try #require(tasks[task["task"] as? String ?? ""])
      let start = try #require(task["start_time"] as? Int)
      let parent = try #require(task["parent"] as? Int)
      #expect(found["startTime"] as? Int == start && found["ppid"] as? Int == parent, "\(task["pid"] ?? "")")
    }
    #expect(wanted.count > 30)
  }

  @Test("Tasks by PID, name, state, and as a tree")
  func tasks() throws {
    let lines = try DumpEntry.named(Self.name).lines("oracle/ps.txt")
    let workers = lines.compactMap { line in
      line.split(separator: " ").dropFirst(2).first.flatMap {
        $0.hasPrefix("[kworker/") ? Int(line.split(separator: " ")[0]) : nil
      }
    }
    let found = try run("tasks", ["kworker/*", "--json"]).objects().compactMap { $0["pid"] as? Int }
    #expect(workers.count > 4 && Set(workers).subtracting(found).count <= 1)
    #expect(try names("tasks", ["2", "init"], "comm") == ["init", "kthreadd"])
    let running = try run("tasks", ["--state", "R", "--json"]).objects()
    #expect(running.allSatisfy { $0["state"] as? String == "R" })
    #expect(running.contains { $0["comm"] as? String == "corpus-holder" })
    let none = try run("tasks", ["--state", "Z"])
    #expect(none.status == 1 && none.text.isEmpty && none.standardError.contains("no task is in state Z"))
    #expect(try run("tasks", ["nobody"]).standardError.contains("there is no task 'nobody'"))
    #expect(try run("tasks", ["--state", "Q"]).status == 64)
    // kthreadd made all threads of the kernel; in its tree there is nothing else.
    let tree = try run("tasks", ["kthreadd", "--tree", "--json"]).objects()
    #expect(tree.first?["pid"] as? Int == 2 && tree.dropFirst().allSatisfy { $0["ppid"] as? Int == 2 })
    #expect(tree.count > 20 && tree.allSatisfy { $0["mm"] is NSNull })
    let whole = try run("tasks", ["--tree"])
    #expect(whole.lines.contains { $0.hasSuffix("   \\_ rcu_gp") })
    #expect(whole.lines.count == (try run("tasks", []).lines.count))
  }

  @Test("Modules by name, and by an address in them")
  func modules() throws {
    for line in try DumpEntry.named(Self.name).lines("oracle/modules.txt") {
      let words = line.split(separator: " ").map(String.init)
      guard words.count > 5 else { continue }
      let inside = try parseAddress(words[5]) + 0x123
      #expect(try names("modules", [words[0]]) == [words[0]])
      #expect(try names("modules", [hex(inside)]) == [words[0]])
      let text = try run("modules", [words[0]]).lines
      #expect(text.count > 3 && text.allSatisfy { $0.hasPrefix(words[0]) })
    }
    let none = try run("modules", ["0xffff800008010000"])
    #expect(none.status == 1 && none.text.isEmpty && none.errorLines.count == 1)
  }

  @Test("Messages by level, time and text")
  func log() throws {
    let all = try run("dmesg", ["--json"]).objects()
    func records(_ arguments: [String]) throws -> [Int] {
      try run("dmesg", arguments + ["--json"]).objects().compactMap { $0["sequence"] as? Int }
    }
    func expected(_ test: ([String: Any]) -> Bool) -> [Int] { all.filter(test).compactMap { $0["sequence"] as? Int } }
    let level: ([String: Any]) -> Int = { $0["level"] as? Int ?? -1 }
    let time: ([String: Any]) -> Int = { $0["timestamp"] as? Int ?? -1 }
    #expect(try records(["--level", "warn"]) == expected { level($0) == 4 })
    #expect(try records(["-l", "err+,5"]) == expected { level($0) <= 3 || level($0) == 5 })
    let last = all.map(time).max() ?? 0
    let recent = expected { time($0) >= last - 1_500_000_000 }
    #expect(try records(["--since", "-1.5"]) == recent && recent.count < all.count && !recent.isEmpty)
    #expect(try records(["--since", "1"]) == expected { time($0) >= 1_000_000_000 })
    #expect(try records(["--since", "-0.1m"]) == expected { time($0) >= last - 6_000_000_000 })
    let lines = try DumpEntry.named(Self.name).lines("oracle/dmesg.txt")
    let wanted = lines.filter { $0.range(of: "fuse|[Ll]oop", options: .regularExpression) != nil }.count
    #expect(try run("dmesg", ["--grep", "fuse|[Ll]oop"]).lines.count == wanted && wanted > 1)
    #expect(try records(["--grep", "LINUX VERSION", "-i"]).count == 1)
    #expect(try run("dmesg", ["--grep", "("]).status == 64)
    #expect(try run("dmesg", ["--grep", "no such message"]).status == 1)
    #expect(try run("dmesg", ["--level", "bad"]).status == 64)
  }

  @Test("Dates of messages end at the crash time")
  func dates() throws {
    let entry = try DumpEntry.named("kdump-61-4k48")
    let seconds = try #require(try entry.vmcoreinfo()["CRASHTIME"].flatMap { Double($0) })
    let result = try Kva.run(["dmesg", entry.path("vmcore.d31-zlib"), "-T"])
    let last = try #require(result.lines.last)
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(identifier: "UTC")
    formatter.dateFormat = "yyyy-MM-dd HH:mm:ss 'UTC'"
    #expect(last.hasPrefix("[\(formatter.string(from: Date(timeIntervalSince1970: seconds)))] "))
    #expect(try run("dmesg", ["-T"]).status == 1)
  }

  @Test("Symbols by module, type and regular expression, as /proc/kallsyms has them")
  func symbols() throws {
    // ADDRESS TYPE NAME [MODULE]
    let lines = try DumpEntry.named(Self.name).lines("oracle/kallsyms.txt").map {
      $0.split(whereSeparator: \.isWhitespace)
    }
    func wanted(_ test: ([Substring]) -> Bool) -> Set<String> {
      Set(lines.filter { $0.count > 2 && test($0) }.map { String($0[2]) })
    }
    func found(_ arguments: [String]) throws -> Set<String> { Set(try names("symbols", arguments)) }
    let fuse = wanted { $0.count > 3 && $0[3] == "[fuse]" && "tT".contains($0[1]) && $0[2].hasPrefix("fuse_dev_") }
    #expect(fuse.count > 5)
    #expect(try found(["^fuse_dev_", "--regex", "--module", "fuse", "--type", "tT"]).subtracting([""]) == fuse)
    #expect(try found(["FUSE_DEV_*", "-i", "--type", "tT", "--module", "fuse"]) == fuse)
    let own = wanted { $0.count == 3 && $0[1] == "B" && $0[2].hasPrefix("k") }
    #expect(try found(["k*", "--module", "vmlinux", "--type", "B"]) == own && !own.isEmpty)
    #expect(try run("symbols", ["--module", "nosuch"]).standardError.contains("no module is called 'nosuch'"))
    #expect(try run("symbols", ["[", "--regex"]).status == 64)
  }

  @Test("vmalloc areas by caller and size, the largest first")
  func vmalloc() throws {
    let lines = try DumpEntry.named(Self.name).lines("oracle/vmallocinfo.txt").map {
      $0.split(separator: " ").map(String.init)
    }
    let large = lines.filter { $0.count > 2 && (Int($0[1]) ?? 0) >= 512 << 10 }.sorted {
      (Int($0[1]) ?? 0) > (Int($1[1]) ?? 0)
    }
    let sizes = try run("vmalloc", ["--min", "512K", "--sort", "size", "--json"]).objects().compactMap {
      $0["size"] as? Int
    }
    #expect(sizes == large.compactMap { Int($0[1]) } && sizes.count > 3)
    let loaded = lines.filter { $0.count > 2 && $0[2].hasPrefix("load_module+") }.map {
      String($0[0].prefix { $0 != "-" })
    }
    #expect(try names("vmalloc", ["--caller", "load_module"], "start") == loaded && loaded.count == 3)
    #expect(try run("vmalloc", ["--caller", "nobody"]).status == 1)
    #expect(try run("vmalloc", ["--min", "1Q"]).status == 64)
  }

  @Test("Sizes with units, regions by a prefix or with a hyphen, and ranges as they are shown")
  func words() throws {
    #expect(try run("read", ["init_task", "1K"]).text == (try run("read", ["init_task", "1024"]).text))
    let whole = try run("ptdump", ["--region", "kernel image"])
    #expect(whole.lines.count > 3)
    for name in ["kernel-image", "kern", "Kernel"] {
      #expect(try run("ptdump", ["--region", name]).text == whole.text)
    }
    // There are kasan shadow and kernel image, vmalloc and vmemmap.
    for name in ["k", "vm", "", "images"] { #expect(try run("ptdump", ["--region", name]).status == 64) }
    let first = try #require(whole.lines.first)
    let range = String(first.prefix { $0 != " " })
    #expect(range.hasSuffix("fff"))
    #expect(try run("ptdump", ["--range", range]).lines == [first])
  }
}
