import Foundation
import TestSupport
import Testing

/// Whose stack an address is on and which frame it belongs to, against drgn's unwinder and the kernel's own words.
@Suite struct StackPlaceTests {
  private static let rich = DumpEntry.all.filter { $0.has("oracle/rich/drgn.json") }.flatMap(\.elfDumps)

  private func stack(_ identity: [String: Any]) throws -> [String: Any] {
    try #require(identity["stack"] as? [String: Any], "\(identity["query"] ?? "")")
  }

  private func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  @Test(
    "The stack pointer of each frame that drgn finds is in that frame", .enabled(if: !rich.isEmpty), arguments: rich)
  func frames(_ dump: Dump) throws {
    let oracle = try #require(
      JSONSerialization.jsonObject(with: dump.entry.data("oracle/rich/drgn.json")) as? [String: Any])
    let running = try Kva.run(["stack", dump.path(), "--all", "--json"]).objects()
      .filter { $0["running"] as? Bool == true }.compactMap { $0["task"] as? String }
    var wanted: [(query: String, pid: Int, part: String, symbol: String?)] = []
    for task in try #require(oracle["tasks"] as? [[String: Any]]).prefix(40) {
      guard let trace = task["trace"] as? [[String: Any]], trace.count > 3, let pid = task["pid"] as? Int, pid > 0,
        let start = try (task["stack"] as? String).map(parseAddress), start != 0,
        let address = task["task"] as? String, !running.contains(address)
      else { continue }
      // Entry code has its registers, not a frame.
      for frame in trace.dropLast() {
        guard let symbol = frame["symbol"] as? String, frame["interrupted"] as? Bool == false else { continue }
        // It moves its stack pointer by a random offset. (add_random_kstack_offset)
        if symbol == "invoke_syscall" { continue }
        let sp = try #require(frame["sp"] as? String)
        wanted.append((sp, pid, "frame", symbol))
      }
      let lowest = try parseAddress(#require(trace[0]["sp"] as? String))
      wanted.append((hex(lowest - 8), pid, "unused", nil))
      wanted.append((hex(start), pid, "unused", nil))
      wanted.append((hex(start - 8), pid, "guard", nil))
      if !(task["mm"] is NSNull) { wanted.append((hex(start + 16384 - 32), pid, "registers", nil)) }
    }
    try #require(wanted.count > 200)
    let found = try Kva.run(
      ["identify", dump.path(), "--json", "--no-debuginfo"], input: wanted.map { $0.query + "\n" }.joined()
    ).objects()
    try #require(found.count == wanted.count)
    var differences: [String] = []
    for (expected, identity) in zip(wanted, found) {
      let stack = try stack(identity)
      let symbol = (stack["frame"] as? [String: Any])?["symbol"] as? String
      let isRight =
        stack["part"] as? String == expected.part && symbol == expected.symbol && stack["pid"] as? Int == expected.pid
        && stack["kind"] as? String == "task"
      if !isRight { differences.append("\(expected): \(stack)") }
      #expect(identity["kind"] as? String == (expected.part == "guard" ? "guard below task stack" : "task stack"))
    }
    #expect(differences.isEmpty, "\(differences.prefix(4))")
  }

  private static let overflow = DumpEntry.corpus.first { $0.name == "oops-612-stack-overflow" }

  @Test("Stacks of CPUs are where the console says", .enabled(if: overflow != nil))
  func cpuStacks() throws {
    let entry = try #require(Self.overflow)
    let path = try #require(entry.elfDumps.first).path()
    let console = try entry.lines("oracle/serial.log").joined(separator: "\n")
    func range(_ name: String) throws -> (start: UInt64, end: UInt64) {
      let expression = try NSRegularExpression(pattern: "\(name): +\\[0x([0-9a-f]+)\\.\\.0x([0-9a-f]+)\\]")
      let match = try #require(
        expression.firstMatch(in: console, range: NSRange(console.startIndex..., in: console)))
      let bounds = try (1...2).map { try #require(Range(match.range(at: $0), in: console)).lowerBound }
      let words = bounds.map { console[$0...].prefix(while: \.isHexDigit) }
      return (try #require(UInt64(words[0], radix: 16)), try #require(UInt64(words[1], radix: 16)))
    }
    for (name, kind) in [("Task stack", "task"), ("IRQ stack", "irq"), ("Overflow stack", "overflow")] {
      let (start, end) = try range(name)
      for address in [start, start + 1000, end - 1] {
        let identity = try Kva.run(["identify", path, hex(address), "--json"]).object()
        let stack = try stack(identity)
        #expect(identity["kind"] as? String == "\(kind) stack")
        #expect(stack["kind"] as? String == kind)
        #expect(stack["start"] as? String == hex(start) && stack["end"] as? String == hex(end))
        #expect(stack["pid"] as? Int == 2203)
        #expect(stack["cpu"] as? Int == (kind == "task" ? nil : 0))
      }
    }
    // FAR, 496 bytes below the stack that has overflown.
    let identity = try Kva.run(["identify", path, "0xffff800080787e10", "--json"]).object()
    let stack = try stack(identity)
    #expect(stack["part"] as? String == "guard" && stack["pid"] as? Int == 2203)
    let below = try #require(stack["guard"] as? [String: Any])
    #expect(below["end"] as? String == hex(try range("Task stack").start))
    let text = try Kva.run(["identify", path, "0xffff800080787e10"]).text
    #expect(text.contains("guard below task stack") && text.contains("of init, pid 2203: in the guard below it"))
  }

  private static let nvhe = DumpEntry.corpus.first { $0.name == "deb61-4k48-kvm-nvhe" }

  @Test("The stack that a CPU was given for EL2 is one", .enabled(if: nvhe != nil))
  func hypervisor() throws {
    let path = try #require(Self.nvhe).path("vmcore.elf")
    let info = try Kva.run(["info", path, "--json"]).object()
    let cpus = try #require((info["hypervisor"] as? [String: Any])?["cpus"] as? [[String: Any]])
    try #require(cpus.count == 2)
    for (number, cpu) in cpus.enumerated() {
      // SP_EL2 by kvm_nvhe_init_params, whose page the tables at EL2 lead to; it is at the end of the stack.
      let top = try parseAddress(#require(cpu["spEL2"] as? String))
      let mapped = try Kva.run(["resolve", path, hex(top - 16), "--el2", "--json"]).object()
      let place = try #require(mapped["hypervisor"] as? [String: Any])
      let linear = try parseAddress(#require(place["kernelAddress"] as? String))
      let identity = try Kva.run(["identify", path, hex(linear), "--json"]).object()
      #expect(identity["kind"] as? String == "hyp stack")
      let stack = try stack(identity)
      #expect(stack["cpu"] as? Int == number)
      #expect(stack["end"] as? String == hex(linear + 16) && stack["start"] as? String == hex(linear + 16 - 4096))
    }
  }
}
