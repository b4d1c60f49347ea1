import Foundation
import TestSupport
import Testing

/// What is left of the kernel's lists where memory is damaged, freed or not in the dump: what can be read before
/// the damage, a note of what is missing, exit status 1; nothing invented, and an end.
struct DamagedListsTests {
  private static let entry = "c61-4k48-nokaslr"
  /// `LIST_POISON1` (include/linux/poison.h): where a freed element's link points.
  private static let poison: UInt64 = 0xdead_0000_0000_0100

  /// Calls `body` with a copy of a real core.
  private func withCore(_ body: (PatchedCore) throws -> Void) throws {
    let entry = try DumpEntry.named(Self.entry)
    let facts = try entry.facts()
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try body(
        PatchedCore(
          copying: try entry.path("vmcore.elf"), to: path, root: facts.swapperPgDir &- facts.kimageVoffset))
    }
  }

  private func symbol(_ name: String) throws -> UInt64 {
    try #require(try DumpEntry.named(Self.entry).kallsyms()[name])
  }

  /// Runs a command, undoes the changes, and sees that it said what is missing.
  private func run(_ command: String, _ core: PatchedCore, notes: [String]) throws -> [[String: Any]] {
    let result = try Kva.run([command, core.path, "--json", "--no-debuginfo"], limit: 60)
    try core.restore()
    #expect(result.status == (notes.isEmpty ? 0 : 1), "\(result.standardError)")
    #expect(result.errorLines.count == notes.count, "\(result.standardError)")
    for note in notes { #expect(result.standardError.contains(note), "\(result.standardError)") }
    return try result.objects()
  }

  /// The links of the list at `head`, in order.
  private func links(_ head: UInt64, _ core: PatchedCore) throws -> [UInt64] {
    var result: [UInt64] = []
    var here = try core.word(head)
    while here != head, result.count < 10_000 {
      result.append(here)
      here = try core.word(here)
    }
    return result
  }

  /// Damages a list at its third element in every way that a link can be wrong; `body` is told how many elements
  /// stand before the damage, and what is to be said.
  private func damage(
    _ head: UInt64, _ name: String, _ core: PatchedCore, _ body: (_ left: Int, _ note: String) throws -> Void
  ) throws {
    let links = try links(head, core)
    try #require(links.count >= 3)
    // It leads back to its beginning, past the head.
    try core.set(links[0], at: links[1])
    try body(2, "the list \(name) runs in a circle")
    // It leads to itself.
    try core.set(links[1], at: links[1])
    try body(2, "the list \(name) runs in a circle")
    // The link back is another element's.
    try core.set(links[0], at: links[2] + 8)
    try body(2, "the list \(name) breaks off at 0x\(String(links[2], radix: 16))")
    // The next was freed.
    try core.set(Self.poison, at: links[1])
    try body(2, "the list \(name) breaks off")
    // There is nothing at all.
    try core.set(0, at: head)
    try body(0, "the list \(name) breaks off")
  }

  @Test("Modules")
  func modules() throws {
    let wanted = try DumpEntry.named(Self.entry).lines("oracle/modules.txt").map { String($0.prefix { $0 != " " }) }
    let head = try symbol("modules")
    try withCore { core in
      func names(_ notes: [String]) throws -> [String] {
        try run("modules", core, notes: notes).map { $0["name"] as? String ?? "" }
      }
      try damage(head, "modules", core) { left, note in
        let got = try names([note])
        #expect(got == Array(wanted.prefix(left)))
      }
      let links = try links(head, core)
      let others = [wanted[0]] + wanted[2...]
      // struct module: state at 0, list at 8, name at 24.
      try core.set(.init(repeating: 0xff, count: 16), at: links[1] + 16)
      #expect(try names(["the module at 0x\(String(links[1] - 8, radix: 16)) cannot be read"]) == others)
      try core.set([9, 9, 0, 0], at: links[1] - 8)
      #expect(try names(["the module at"]) == others)
      // MODULE_STATE_UNFORMED: it is still being made, and nothing is missing.
      try core.set([3, 0, 0, 0], at: links[1] - 8)
      #expect(try names([]) == others)
      try core.takeAway(links[1])
      #expect(try names(["the list modules breaks off"]) == [wanted[0]])
      // Its symbols, too, are those of the modules before the damage.
      try core.takeAway(links[1])
      let owners = Set(try run("symbols", core, notes: ["the list modules"]).compactMap { $0["module"] as? String })
      // Kallsyms gives BPF programs a module of that name.
      #expect(owners.subtracting(["bpf"]) == [wanted[0]])
    }
  }

  @Test("Areas of vmalloc space")
  func areas() throws {
    let head = try symbol("vmap_area_list")
    try withCore { core in
      func starts(_ notes: [String]) throws -> [String] {
        try run("vmalloc", core, notes: notes).map { $0["start"] as? String ?? "" }
      }
      // struct vmap_area: va_start at 0, va_end at 8, list at 40, vm at 56 (6.1).
      let wanted = try links(head, core).map { "0x" + String(try core.word($0 - 40), radix: 16) }
      #expect(try starts([]) == wanted)
      try damage(head, "vmap_area_list", core) { left, note in
        let got = try starts([note])
        #expect(got == Array(wanted.prefix(left)))
      }
      let links = try links(head, core)
      // An area that ends before it begins is none.
      try core.set(0, at: links[3] - 32)
      #expect(try starts(["the area at"]) == wanted.enumerated().filter { $0.offset != 3 }.map(\.element))
      // Of one whose vm_struct is gone only the bounds are known.
      try core.set(Self.poison, at: links[3] + 16)
      let area = try run("vmalloc", core, notes: ["what the area at \(wanted[3]) is cannot be read"])[3]
      #expect(area["start"] as? String == wanted[3])
      #expect(area["caller"] is NSNull && (area["flags"] as? [String]) == [])
      // One whose vm_struct (addr at 8, size at 16) has no end, or none behind its beginning, is none.
      for size in [UInt64.max, 0] {
        try core.set(size, at: core.word(links[4] + 16) + 16)
        #expect(try starts(["ends before it begins"]) == wanted.enumerated().filter { $0.offset != 4 }.map(\.element))
      }
    }
  }

  @Test("Tasks")
  func tasks() throws {
    let first = try symbol("init_task")
    try withCore { core in
      // The idle tasks of other CPUs are in no list.
      func listed(_ tasks: [[String: Any]]) throws -> [[String: Any]] {
        try tasks.filter { try $0["pid"] as? Int != 0 || parseAddress($0["task"] as? String ?? "0x0") == first }
      }
      let whole = try listed(run("tasks", core, notes: []))
      let second = try #require(whole.dropFirst().first?["task"] as? String)
      // Where `tasks` is in a task_struct: the one word of init_task that points as far into the next task.
      let next = try parseAddress(second)
      let offset = try #require(
        try stride(from: UInt64(0), to: 4096, by: 8).first { offset in try core.word(first + offset) == next + offset })
      func text(_ tasks: [[String: Any]]) -> [String] {
        tasks.map { "\($0["pid"] ?? "") \($0["comm"] ?? "") \($0["task"] ?? "") \($0["stack"] ?? "")" }
      }
      try damage(first + offset, "tasks", core) { left, note in
        let got = try listed(run("tasks", core, notes: [note]))
        #expect(got.compactMap { $0["pid"] as? Int } == [0, 1, 2].prefix(left + 1) + [])
        #expect(text(got) == Array(text(whole).prefix(left + 1)))
      }
      // A task of which nothing is left is said to be missing, or the list ends there.
      let third = try links(first + offset, core)[2]
      try core.takeAway(third)
      let result = try Kva.run(["tasks", core.path, "--json"], limit: 60)
      #expect(result.status == 1 && !result.standardError.isEmpty)
      #expect(try listed(result.objects()).count < whole.count)
    }
  }

  @Test("The log")
  func log() throws {
    let entry = try DumpEntry.named(Self.entry)
    let lines = try entry.vmcoreinfo()
    func offset(_ name: String) throws -> UInt64 { try #require(lines["OFFSET(\(name))"].flatMap { UInt64($0) }) }
    let variable = try symbol("prb")
    try withCore { core in
      func sequences(_ notes: [String]) throws -> [Int] {
        try run("dmesg", core, notes: notes).compactMap { $0["sequence"] as? Int }
      }
      let all = try sequences([])
      #expect(all.count > 50)
      let ring = try core.word(variable)
      let descriptors = ring + (try offset("printk_ringbuffer.desc_ring"))
      let bits = try core.half(descriptors + offset("prb_desc_ring.count_bits"))
      let id = try core.word(descriptors + offset("prb_desc_ring.tail_id")) + 10
      let index = id & (1 << 62 - 1) & (1 << UInt64(bits) - 1)
      let descriptor = try core.word(descriptors + offset("prb_desc_ring.descs")) + index * 24
      let info = try core.word(descriptors + offset("prb_desc_ring.infos")) + index * 88
      let text = ring + (try offset("printk_ringbuffer.text_data_ring"))
      let size = UInt64(1) << UInt64(try core.half(text + offset("prb_data_ring.size_bits")))
      let block = try core.word(text + offset("prb_data_ring.data")) + core.word(descriptor + 8) % size
      let others = all.filter { $0 != Int(exactly: (try? core.word(info)) ?? 0) }
      #expect(others.count == all.count - 1)
      // The text is another record's.
      try core.set(UInt64.max, at: block)
      #expect(try sequences(["1 messages cannot be read"]) == others)
      // The record is being written: nothing is missing.
      try core.set(id & (1 << 62 - 1), at: descriptor)
      #expect(try sequences([]) == others)
      // It was used anew for a later one.
      try core.set(3 << 62 | (id &+ 1 << UInt64(bits)) & (1 << 62 - 1), at: descriptor)
      #expect(try sequences([]) == others)
      // Its text is not in the dump.
      try core.takeAway(block)
      let left = try sequences(["messages cannot be read"])
      #expect(left.count < all.count && Set(left).isSubset(of: all))
      // The ring claims a million records, or two milliard, and its descriptors are nowhere.
      for (bits, note) in [(20, "messages cannot be read"), (31, "the log at 0x")] as [(UInt8, String)] {
        try core.set([bits, 0, 0, 0], at: descriptors)
        try core.set(0, at: descriptors + offset("prb_desc_ring.tail_id"))
        try core.set(Self.poison, at: descriptors + offset("prb_desc_ring.descs"))
        #expect(try sequences([note]) == [])
      }
    }
  }

  @Test("Without kallsyms and exports the lists of modules and areas and the first task are recognised")
  func recognised() throws {
    let entry = try DumpEntry.named(Self.entry)
    let lines = try entry.vmcoreinfo()
    let index = try parseAddress(try #require(lines["SYMBOL(kallsyms_token_index)"]))
    try withCore { core in
      // The callers of areas have no names without kallsyms, but the areas are the same.
      func listings() throws -> [[String]] {
        let lists = try ["modules", "tasks"].map { try Kva.run([$0, core.path, "--json"]).lines }
        let areas = try Kva.run(["vmalloc", core.path, "--json"]).objects()
        return lists + [areas.map { "\($0["start"] ?? "")-\($0["end"] ?? "") \($0["pages"] ?? "")" }]
      }
      let whole = try listings()
      for offset in stride(from: UInt64(0), to: 512, by: 8) { try core.set(0, at: index + offset) }
      try core.replaceAll(Array("init_task\0".utf8), with: Array("unit_task\0".utf8))
      try core.replaceAll(Array("SYMBOL(vmap_area_list)".utf8), with: Array("SYMBOL(emap_area_list)".utf8))
      #expect(try listings() == whole)
      for name in ["init_task", "modules", "vmap_area_list"] {
        let answer = try Kva.run(["resolve", core.path, name, "--json"]).object()
        #expect(try parseAddress(answer["virtual"] as? String ?? "") == symbol(name), "\(name)")
      }
      let origins = try #require((try Kva.run(["info", core.path, "--json"]).object()["sources"] as? [String: Any]))
      #expect((origins["symbols"] as? String)?.contains("recognised") == true)
      // A task of another name, or one whose list does not lead back, is not the first.
      try core.replaceAll(Array("swapper/0".utf8), with: Array("sw4pper/0".utf8))
      let result = try Kva.run(["tasks", core.path])
      // Idle tasks are found by the run queues of their CPUs.
      #expect(result.lines.count <= 2)
      #expect(result.status == 1 && result.errorLines.count == 1)
    }
  }
}
