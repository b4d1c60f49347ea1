import Foundation
import TestSupport
import Testing

/// Shadow call stacks and hashes of stacks, against drgn's unwinder and several boots of one kernel.
@Suite struct ShadowStackTests {
  private static let shadowed = DumpEntry.inCorpus("c612-4k48-rich")

  @Test("A shadow call stack has the return addresses that drgn finds", .enabled(if: shadowed != nil))
  func shadow() throws {
    let entry = try #require(Self.shadowed)
    let path = try entry.path("vmcore.elf")
    let oracle = try #require(
      JSONSerialization.jsonObject(with: entry.data("oracle/rich/drgn.json")) as? [String: Any])
    var depths: [String: Int] = [:]
    for task in try #require(oracle["tasks"] as? [[String: Any]]) {
      guard let trace = task["trace"] as? [[String: Any]], let address = task["task"] as? String else { continue }
      if !trace.contains(where: { $0["interrupted"] as? Bool == true }) { depths[address] = trace.count }
    }
    var asked = 0
    for stack in try Kva.run(["stack", path, "--all", "--json"]).objects() {
      // A zombie has no stack any more.
      guard stack["running"] as? Bool == false, stack["state"] as? String != "Z",
        let depth = depths[stack["task"] as? String ?? ""], depth > 2
      else {
        continue
      }
      let shadow = try #require(stack["shadow"] as? [String: Any], "\(stack["comm"] ?? "")")
      asked += 1
      // Where __switch_to is left is in the task, not on a stack.
      #expect(shadow["frames"] as? Int == depth - 1, "\(stack["comm"] ?? "")")
      #expect(shadow["agrees"] as? Bool == true && shadow["message"] is NSNull, "\(shadow)")
    }
    #expect(asked > 40)
    try Scratch.withFolder { folder in
      let patient = try StackPatient(entry, pid: 2, at: folder.appendingPathComponent("vmcore").path)
      let core = patient.core
      // thread_info.scs_base is at 16; each entry is one of drgn's frames.
      let base = try core.word(patient.task + 16)
      for (number, wanted) in patient.frames.dropFirst().reversed().enumerated() {
        let query = "0x" + String(base + UInt64(number) * 8, radix: 16)
        let identity = try Kva.run(["identify", core.path, query, "--json"]).object()
        #expect(identity["kind"] as? String == "shadow stack")
        let stack = try #require(identity["stack"] as? [String: Any])
        #expect(stack["pid"] as? Int == 2 && stack["part"] as? String == "frame")
        #expect((stack["frame"] as? [String: Any])?["symbol"] as? String == wanted.symbol)
      }
      func shadow() throws -> (agrees: Bool, message: String) {
        let shadow = try #require(try patient.answer()["shadow"] as? [String: Any])
        return (try #require(shadow["agrees"] as? Bool), shadow["message"] as? String ?? "")
      }
      #expect(try shadow().agrees)
      // A record that returns elsewhere, one that leads nowhere, and an entry of the shadow call stack.
      try core.set(try patient.call(in: "kthread"), at: patient.frames[2].sp + 8)
      #expect(try shadow() == (false, shadow().message) && shadow().message.contains("one of them is damaged"))
      try core.restore()
      try core.set(0x1234_5678, at: patient.frames[1].sp)
      #expect(try shadow().message.hasPrefix("the frame records are damaged"))
      try core.restore()
      try core.set(0x4141_4141_4141_4141, at: base + 8)
      #expect(try shadow().message.hasPrefix("the shadow call stack is damaged"))
    }
  }

  // The rich one's CPUs sign return addresses.
  private static let dead = DumpEntry.all.filter { $0.name.hasPrefix("oops-612") || $0.name == "c612-4k48-rich-max" }
    .flatMap(\.elfDumps)

  @Test(
    "Through exceptions, interrupts and an overflow nothing differs where nothing was damaged",
    .enabled(if: !dead.isEmpty), arguments: dead)
  func exceptions(_ dump: Dump) throws {
    for query in [["--all"], []] {
      for stack in try Kva.run(["stack", dump.path(), "--json"] + query).objects() {
        guard let shadow = stack["shadow"] as? [String: Any] else { continue }
        #expect(shadow["agrees"] as? Bool == true, "\(stack["comm"] ?? ""): \(shadow)")
      }
    }
  }

  @Test("A thread that waits in one place has one hash on every boot", .enabled(if: shadowed != nil))
  func hashes() throws {
    let entries = ["c612-4k48-rich", "oops-612-null", "oops-612-write-ro"].compactMap(DumpEntry.inCorpus)
    try #require(entries.count == 3)
    var hashes: [String: [String]] = [:]
    for entry in entries {
      let path = try #require(entry.elfDumps.first).path()
      for stack in try Kva.run(["stack", path, "--all", "--json"]).objects() {
        guard let comm = stack["comm"] as? String, ["kthreadd", "kswapd0", "oom_reaper", "kdevtmpfs"].contains(comm)
        else { continue }
        hashes[comm, default: []].append(stack["hash"] as? String ?? "")
      }
    }
    #expect(hashes.count >= 3)
    for (comm, found) in hashes { #expect(found.count == 3 && Set(found).count == 1, "\(comm): \(found)") }
    #expect(Set(hashes.values.map { $0[0] }).count == hashes.count)
    #expect(Set(try entries.map { try $0.facts().kaslrOffset }).count == 3)
  }
}
