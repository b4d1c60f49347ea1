import Foundation
import TestSupport
import Testing

/// Stacks of all tasks, against drgn's unwinder by DWARF, /proc/PID/stack, and the console's own traces.
@Suite struct StackTests {
  private static let rich = DumpEntry.all.filter { $0.has("oracle/rich/drgn.json") }.flatMap(\.elfDumps)

  /// Of the listings, which are of a moment before the stop, a worker or two may have moved.
  private static func drift(_ count: Int) -> Int { 2 + count / 25 }

  @Test("Each sleeping task has the frames that drgn finds by DWARF", .enabled(if: !rich.isEmpty), arguments: rich)
  func drgn(_ dump: Dump) throws {
    let stacks = try Kva.run(["stack", dump.path(), "--all", "--json"]).objects()
    var mine: [String: [String: Any]] = [:]
    for stack in stacks {
      let address = try #require(stack["task"] as? String)
      mine[address] = stack
    }
    let oracle = try #require(
      JSONSerialization.jsonObject(with: dump.entry.data("oracle/rich/drgn.json")) as? [String: Any])
    var asked = 0
    var differences: [String] = []
    for task in try #require(oracle["tasks"] as? [[String: Any]]) {
      guard let trace = task["trace"] as? [[String: Any]] else { continue }
      let address = try #require(task["task"] as? String)
      let stack = try #require(mine[address], "\(task["comm"] ?? "") is listed")
      guard stack["running"] as? Bool == false else { continue }
      let wanted = trace.compactMap { $0["symbol"] as? String }
      let found = try #require(stack["frames"] as? [[String: Any]]).compactMap { $0["symbol"] as? String }
      asked += 1
      if wanted != found { differences.append("\(task["comm"] ?? ""): \(wanted), not \(found)") }
    }
    #expect(asked > 40)
    #expect(differences.count <= 2, "\(differences)")
    let running = stacks.count { $0["running"] as? Bool == true }
    let cpus = try dump.entry.registers().count
    #expect(running > 0 && running <= cpus)
  }

  @Test("Each task has the frames of /proc/PID/stack", .enabled(if: !rich.isEmpty), arguments: rich)
  func procStack(_ dump: Dump) throws {
    var wanted: [Int: [String]] = [:]
    var pid = 0
    for line in try dump.entry.lines("oracle/rich/stacks.txt") {
      let words = line.split(separator: " ")
      if line.hasPrefix("== ") { pid = try #require(Int(words[2])) }
      if line.hasPrefix("[<0>] ") { wanted[pid, default: []].append(String(words[1].prefix { $0 != "/" })) }
    }
    let stacks = try Kva.run(["stack", dump.path(), "--all", "--json"]).objects()
    var differences: [String] = []
    for stack in stacks where stack["running"] as? Bool == false {
      guard let pid = stack["pid"] as? Int, let lines = wanted[pid] else { continue }
      let frames = try #require(stack["frames"] as? [[String: Any]]).map {
        "\($0["symbol"] as? String ?? "")+0x\(String($0["offset"] as? Int ?? 0, radix: 16))"
      }
      if Array(frames.suffix(lines.count)) != lines { differences.append("\(pid): \(lines), not \(frames)") }
    }
    #expect(wanted.count > 20)
    #expect(differences.count <= Self.drift(wanted.count), "\(differences)")
  }

  private static let died = DumpEntry.all.filter { $0.has("oracle/serial.log") && $0.has("oracle/rich/stacks.txt") }
    .flatMap(\.elfDumps)

  /// The functions of the console's first call trace.
  private func consoleTrace(_ dump: Dump) throws -> [String] {
    var trace: [String] = []
    var isInTrace = false
    // The console ends its lines with a carriage return, too.
    let console = try String(decoding: dump.entry.data("oracle/serial.log"), as: UTF8.self)
    for line in console.split(whereSeparator: \.isNewline) {
      let text = line.replacingOccurrences(of: #"^\[[^\]]*\] ?"#, with: "", options: .regularExpression)
      if text.hasPrefix("Call trace:") {
        isInTrace = true
      } else if isInTrace {
        guard text.hasPrefix(" "), text.contains("+0x") else { break }
        trace.append(String(text.dropFirst().prefix { $0 != "+" }))
      }
    }
    return trace
  }

  @Test(
    "The stack of the task that died holds the console's trace, through interrupts and overflows",
    .enabled(if: !died.isEmpty), arguments: died)
  func dead(_ dump: Dump) throws {
    let wanted = try consoleTrace(dump)
    let stacks = try Kva.run(["stack", dump.path(), "--json"]).objects()
    let stack = try #require(stacks.first)
    let frames = try #require(stack["frames"] as? [[String: Any]])
      .filter { $0["kind"] as? String != "link" }.map { $0["symbol"] as? String ?? "" }
    guard !wanted.isEmpty else {
      // A stack overflow prints no trace; the recursion is what fills the stack.
      #expect(frames.count { $0 == "recursive_loop" } > 4)
      return
    }
    let isThere = frames.indices.contains { Array(frames[$0...].prefix(wanted.count)) == wanted }
    #expect(isThere, "\(frames)")
  }

  @Test("Random words on a stack never add a frame that is not there", .enabled(if: !rich.isEmpty))
  func damaged() throws {
    let dump = try #require(Self.rich.first)
    let sound = try Kva.run(["stack", dump.path(), "--all", "--json"]).objects()
    var truth: [String: [String]] = [:]
    func frames(_ stack: [String: Any]) throws -> [String] {
      try #require(stack["frames"] as? [[String: Any]]).map { $0["pc"] as? String ?? "" }
    }
    for stack in sound {
      let address = try #require(stack["task"] as? String)
      truth[address] = try frames(stack)
    }
    var generator = SeededGenerator(seed: 18)
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("damaged").path
      try FileManager.default.copyItem(atPath: dump.path(), toPath: path)
      let file = try #require(FileHandle(forUpdatingAtPath: path))
      let core = try CoreReader(path: dump.path())
      // Words of the stacks of sleeping tasks, by the sp of their frames.
      let places = try sound.flatMap { stack in
        try #require(stack["frames"] as? [[String: Any]]).compactMap { $0["sp"] as? String }
      }
      for place in places where UInt64.random(in: 0..<4, using: &generator) == 0 {
        let at = try parseAddress(place)
        let answer = try Kva.run(["resolve", dump.path(), place, "--json"]).object()
        guard let physical = answer["physical"] as? String, at & 7 == 0 else { continue }
        guard let offset = try core.offset(parseAddress(physical), 8) else { continue }
        try file.seek(toOffset: offset)
        let word = UInt64.random(in: .min ... .max, using: &generator)
        try file.write(contentsOf: withUnsafeBytes(of: word.littleEndian) { Data($0) })
        if generator.next() % 8 == 0 { break }
      }
      try file.close()
      for stack in try Kva.run(["stack", path, "--all", "--json"]).objects() {
        let address = try #require(stack["task"] as? String)
        let known = try #require(truth[address])
        let found = try frames(stack)
        #expect(Set(found).isSubset(of: known), "\(found) has what \(known) has not")
      }
    }
  }

  @Test("A PID, a CPU and a task_struct name the same task; what is none is refused")
  func names() throws {
    let path = try DumpEntry.named("c61-4k48-nokaslr").elfDumps[0].path()
    let byPID = try Kva.run(["stack", path, "1", "--json"]).object()
    #expect(byPID["comm"] as? String == "init")
    let address = try #require(byPID["task"] as? String)
    let byAddress = try Kva.run(["stack", path, address, "--json"]).object()
    #expect(byAddress["pid"] as? Int == 1)
    let frames = try #require(byPID["frames"] as? [[String: Any]])
    #expect(frames.first?["symbol"] as? String == "__switch_to")
    #expect(frames.last?["symbol"] as? String == "el0t_64_sync")
    #expect(byPID["end"] as? String == "user")
    // The first idle task returns through init code that was freed, of a weak function among others; its CPU was idle.
    // (arch_call_rest_init, init/main.c; __primary_switched, arch/arm64/kernel/head.S)
    let idle = try Kva.run(["stack", path, "cpu0", "--json"]).object()
    let callers = try #require(idle["frames"] as? [[String: Any]]).compactMap { $0["symbol"] as? String }
    #expect(callers.suffix(4) == ["rest_init", "arch_call_rest_init", "start_kernel", "__primary_switched"])
    #expect(idle["end"] as? String == "final" && idle["user"] is NSNull)
    for wrong in ["cpu99", "99999999", "nonsense", "0x12"] {
      let result = try Kva.run(["stack", path, wrong])
      #expect(result.status == 1)
      #expect(result.errorLines.count == 1, "\(wrong): \(result.errorLines)")
    }
    let grouped = try Kva.run(["stack", path, "--all", "--group", "--json"]).objects()
    let all = try Kva.run(["stack", path, "--all", "--json"]).objects()
    #expect(grouped.reduce(0) { $0 + ($1["count"] as? Int ?? 0) } == all.count)
    #expect(Set(grouped.compactMap { $0["hash"] as? String }) == Set(all.compactMap { $0["hash"] as? String }))
  }
}
