import Foundation
import TestSupport
import Testing

/// `kva diff` over pairs of dumps whose difference is known.
@Suite struct DiffTests {
  private static func differences(_ a: String, _ b: String, _ options: [String] = []) throws -> [[String]] {
    let result = try Kva.run(["diff", a, b, "--json"] + options)
    let found = try result.objects().map { object in
      ["what", "name", "change"].map { object[$0] as? String ?? "" }
    }
    #expect(result.status == (found.isEmpty ? 0 : 1), "\(result.standardError)")
    return found
  }

  @Test("A dump differs in nothing from itself", arguments: ViewTests.dumps)
  func same(_ dump: Dump) throws {
    #expect(try Self.differences(dump.path(), dump.path(), ["--all"]) == [])
  }

  /// Takes the element with its list_head at `head` out of its list.
  private func unlink(_ head: UInt64, _ core: PatchedCore) throws {
    let (next, previous) = (try core.word(head), try core.word(head + 8))
    try core.set(next, at: previous)
    try core.set(previous, at: next + 8)
  }

  @Test("A module that was loaded, a process that is gone and an area that is there no more are named, and little else")
  func moments() throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let original = try #require(entry.elfDumps.first).path()
    let info = try Kva.run(["info", original, "--json"]).object()
    let root = try #require((info["swapperPgDir"] as? [String: Any])?["physical"] as? String)
    func hex(_ text: String) throws -> UInt64 { try #require(UInt64(text.dropFirst(2), radix: 16)) }
    func address(_ expression: String) throws -> UInt64 {
      try hex(try #require(Kva.run(["print", original, expression, "--json"]).object()["value"] as? String))
    }
    let task = try #require(
      Kva.run(["tasks", original, "--json"]).objects().last { $0["mm"] as? String != nil && $0["pid"] as? Int != 1 })
    let name = try #require(task["comm"] as? String)
    let area = try #require(
      Kva.run(["list", original, "vmap_area.list", "vmap_area_list", "--print", "va_start,va_end", "--json"]).objects()
        .compactMap { $0["element"] as? String }.last)
    try Scratch.withFolder { folder in
      let before = folder.appendingPathComponent("before").path
      let core = try PatchedCore(copying: original, to: before, root: hex(root))
      let structure = try #require(
        Kva.run(["list", original, "module.list", "modules", "--json"]).objects().first?["element"] as? String)
      let module = try #require(
        Kva.run(["print", original, "((struct module *)\(structure))->name", "--json"]).object()["value"] as? String)
      try unlink(address("&((struct module *)\(structure))->list"), core)
      let taskAddress = try #require(task["task"] as? String)
      try unlink(address("&((struct task_struct *)\(taskAddress))->tasks"), core)
      try unlink(address("&((struct vmap_area *)\(area))->list"), core)
      let found = try Self.differences(before, original)
      #expect(found.contains(["module", module, "added"]))
      #expect(found.contains { $0[0] == "task" && $0[1] == name && $0[2] != "removed" }, "\(found)")
      #expect(found.count <= 8, "\(found)")
      // The other way round they go away.
      #expect(try Self.differences(original, before).contains(["module", module, "removed"]))
      let page = try Kva.run(["diff", before, original, "--html"])
      #expect(page.text.contains("<th scope=\"row\" data-label=\"Name\">\(module)</th>"))
    }
  }

  @Test("A page of vmalloc that became writable and executable is named, and memory that was mapped")
  func permissions() throws {
    try Scratch.withFolder { folder in
      let (a, b) = (folder.appendingPathComponent("a").path, folder.appendingPathComponent("<b>").path)
      var kernel = AuditedKernel()
      try kernel.write(to: a)
      kernel.change(AuditedKernel.text + 0x2_0000) { $0 & ~(1 << 53) }
      try kernel.write(to: b)
      let found = try Self.differences(a, b)
      #expect(
        found.contains {
          $0[0] == "mapping" && $0[1].hasPrefix("kernel image") && $0[1].hasSuffix("EL1 rwx") && $0[2] == "added"
        }, "\(found)")
      let page = try Kva.run(["diff", a, b, "--html"]).text
      #expect(page.contains("after: ") && page.contains("&lt;b&gt;") && !page.contains("<b>"))
    }
  }
}
