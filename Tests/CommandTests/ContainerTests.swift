import Foundation
import TestSupport
import Testing

/// Lists and trees, against what the test module logged and the kernel's listings; damage ends with its reason.
@Suite struct ContainerTests {
  private static let rich = DumpEntry.all.filter { $0.has("oracle/rich/kvatest.txt") }.flatMap(\.elfDumps)
  private static let plain = "c61-4k48-nokaslr"

  @Test("The test module's list, tree and xarray", .enabled(if: !rich.isEmpty), arguments: rich)
  func module(_ dump: Dump) throws {
    var asked = 0
    let path = try dump.path()
    for line in try dump.entry.lines("oracle/rich/kvatest.txt") where line.hasPrefix("KVATEST ") {
      let words = line.split(separator: " ").map(String.init)
      var logged: [String: String] = [:]
      for word in words.dropFirst(2) {
        let parts = word.split(separator: "=", maxSplits: 1)
        logged[String(parts[0])] = String(parts[parts.count - 1])
      }
      guard let root = logged["head"] ?? logged["root"] else { continue }
      let command: [String]
      switch words[1] {
      case "list": command = ["list", path, "kva_object.node", "0x\(root)"]
      case "tree": command = ["tree", path, "rbtree", "kva_sample.rb", "0x\(root)", "--print", "name,magic"]
      case "xarray": command = ["tree", path, "xarray", "kva_object", "0x\(root)"]
      default: continue
      }
      asked += 1
      let objects = try Kva.run(command + ["--json"]).objects()
      #expect(objects.count == Int(logged["count"] ?? "27"), "\(words[1])")
      #expect(objects.allSatisfy { $0["element"] is String })
      guard words[1] == "tree" else { continue }
      // The module's samples are in the order of their numbers.
      let names = objects.compactMap { ($0["values"] as? [String: Any])?["name"] as? String }
      #expect(names == names.sorted() && names.allSatisfy { $0.hasPrefix("sample-") })
    }
    #expect(asked >= 3)
  }

  @Test("The list of modules is that of /proc/modules")
  func modules() throws {
    let entry = try DumpEntry.named(Self.plain)
    let wanted = try entry.lines("oracle/modules.txt").map { String($0.prefix { $0 != " " }) }
    let objects = try Kva.run([
      "list", entry.path("vmcore.elf"), "module.list", "modules", "--print", "name", "--json",
    ]).objects()
    #expect(objects.compactMap { ($0["values"] as? [String: Any])?["name"] as? String } == wanted)
  }

  @Test("Tasks by the list, and PIDs by the IDR, are the same")
  func tasks() throws {
    let path = try DumpEntry.named(Self.plain).path("vmcore.elf")
    let lines = try Kva.run(["list", path, "task_struct.tasks", "init_task.tasks", "--print", "pid,comm"]).lines
    let processes = try Kva.run(["tasks", path, "--json"]).objects().filter {
      $0["pid"] as? Int == $0["tgid"] as? Int && $0["pid"] as? Int != 0
    }
    #expect(lines.count == processes.count && lines[0].hasSuffix("pid = 1, comm = \"init\""))
    let indices = try Kva.run(["tree", path, "idr", "pid", "init_pid_ns.idr", "--json"]).objects()
      .compactMap { $0["index"] as? Int }
    let pids = Set(processes.compactMap { $0["pid"] as? Int })
    #expect(pids.isSubset(of: Set(indices)))
  }

  @Test("Memory areas of init by the maple tree are in order and as many as the kernel counts")
  func maple() throws {
    let path = try DumpEntry.named(Self.plain).path("vmcore.elf")
    let mm = "container_of(init_task.tasks.next, struct task_struct, tasks)->mm"
    let count = try Kva.run(["print", path, "\(mm)->map_count", "--json"]).objects().first?["value"] as? Int
    let areas = try Kva.run([
      "tree", path, "maple", "vm_area_struct", "\(mm)->mm_mt", "--print", "vm_start,vm_end", "--json",
    ]).objects()
    #expect(areas.count == count && count ?? 0 > 0)
    func number(_ value: Any?) -> UInt64? {
      (value as? Int).map { UInt64($0) } ?? (value as? String).flatMap { UInt64($0.dropFirst(2), radix: 16) }
    }
    for area in areas {
      let values = area["values"] as? [String: Any]
      #expect(number(area["index"]) == number(values?["vm_start"]))
      #expect(number(area["last"]).map { $0 + 1 } == number(values?["vm_end"]))
    }
  }

  @Test("What is no container ends with a reason")
  func damage() throws {
    let path = try DumpEntry.named(Self.plain).path("vmcore.elf")
    for (arguments, words) in [
      (["list", path, "module.list", "0xffff7ffffffff000"], "cannot be read"),
      (["list", path, "module", "modules"], "give TYPE.MEMBER"),
      (["list", path, "module.lst", "modules"], "did you mean list"),
      (["list", path, "module.list", "modules", "--print", "nam"], "did you mean name"),
      (["tree", path, "rbtree", "vmap_area.rb_node", "init_task"], "breaks off"),
    ] {
      let result = try Kva.run(arguments)
      #expect(result.status == 1 && result.standardError.contains(words), "\(arguments): \(result.standardError)")
    }
  }
}
