import Foundation
import TestSupport
import Testing

/// Stacks whose memory was changed: damaged ones invent nothing, and what trampolines left there is understood. The truth
/// is drgn's unwinder on the unchanged dump.
@Suite struct StackDamageTests {
  private static let debian = DumpEntry.inCorpus("deb61-4k48-rich")

  // MARK: - Random words

  @Test(
    "Of 500 stacks with a random word overwritten, none has a frame that was not there", .enabled(if: debian != nil))
  func random() throws {
    let entry = try #require(Self.debian)
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("damaged").path
      let facts = try entry.facts()
      let core = try PatchedCore(
        copying: entry.path("vmcore.elf"), to: path, root: facts.swapperPgDir &- facts.kimageVoffset)
      func stacks() throws -> [(task: String, stack: [String: Any])] {
        try Kva.run(["stack", path, "--all", "--json"]).objects().compactMap { stack in
          (stack["task"] as? String).map { ($0, stack) }
        }
      }
      func pcs(_ stack: [String: Any]) throws -> [String] {
        try #require(stack["frames"] as? [[String: Any]]).map { $0["pc"] as? String ?? "" }
      }
      let sound = try stacks().filter { $0.stack["running"] as? Bool == false }
      let truth = Dictionary(try sound.map { ($0.task, try pcs($0.stack)) }, uniquingKeysWith: { first, _ in first })
      var generator = SeededGenerator(seed: 500)
      var damaged = 0
      var broken = 0
      while damaged < 500 {
        for (_, stack) in sound {
          let places = try #require(stack["frames"] as? [[String: Any]]).compactMap { $0["sp"] as? String }
          guard let lowest = try places.map(parseAddress).min(), let highest = try places.map(parseAddress).max() else {
            continue
          }
          // Half of them hit a frame record, the others anything between.
          let anywhere = lowest + UInt64.random(in: 0...((highest - lowest) / 8), using: &generator) * 8
          let record = try parseAddress(#require(places.randomElement(using: &generator))) + (generator.next() & 8)
          try core.set(generator.next(), at: generator.next() & 1 == 0 ? anywhere & ~7 : record & ~7)
          damaged += 1
        }
        for (task, stack) in try stacks() {
          guard let known = truth[task] else { continue }
          let found = try pcs(stack)
          #expect(known.starts(with: found), "\(task): \(found) is no part of \(known)")
          if found.count < known.count {
            broken += 1
            #expect(stack["end"] as? String == "broken" && !(stack["message"] is NSNull))
          }
        }
        try core.restore()
      }
      #expect(broken > 100, "records were hit")
    }
  }

  // MARK: - Trampolines

  @Test("The address that ftrace or a kretprobe had replaced is found again", .enabled(if: debian != nil))
  func trampolines() throws {
    let entry = try #require(Self.debian)
    try Scratch.withFolder { folder in
      let patient = try StackPatient(entry, pid: 2, at: folder.appendingPathComponent("vmcore").path)
      let core = patient.core
      let wanted = patient.frames.map(\.symbol)
      #expect(try patient.symbols(patient.answer()) == wanted)
      // The record of schedule(), which returns to the function that waits.
      let record = patient.frames[2].sp
      let pc = try core.word(record + 8)
      let key = try core.word(record)
      #expect(pc == patient.frames[3].pc)
      func check(_ kind: String) throws {
        let answer = try patient.answer()
        #expect(try patient.symbols(answer) == wanted, "\(kind)")
        let kinds = try #require(answer["frames"] as? [[String: Any]]).map { $0["kind"] as? String ?? "" }
        #expect(kinds.indices.allSatisfy { (kinds[$0] == "trampoline") == ($0 == 3) }, "\(kind): \(kinds)")
      }
      // struct ftrace_ret_stack {ret, func, calltime, fp, retp}: ours below another, in unused stack.
      let unused = patient.stack + 0x200
      let graph = try #require(patient.kallsyms["return_to_handler"])
      try core.set(graph, at: record + 8)
      for (number, (ret, retp)) in [(pc, key), (pc - 64, key + 32)].enumerated() {
        try core.set(ret, at: unused + UInt64(number) * 40)
        try core.set(retp, at: unused + UInt64(number) * 40 + 32)
      }
      let count = patient.task + (try #require(patient.members["curr_ret_stack"]))
      try core.set(unused, at: patient.task + (try #require(patient.members["ret_stack"])))
      try core.set([1, 0, 0, 0], at: count)
      try check("ftrace")
      // Without its entry the trampoline is what is known.
      try core.set([0xff, 0xff, 0xff, 0xff], at: count)
      #expect(try patient.symbols(patient.answer())[3] == "return_to_handler")
      // struct kretprobe_instance: llist at 16, ret_addr at 32, fp at 40; the second of the list.
      let probe = try #require(patient.kallsyms["__kretprobe_trampoline"])
      try core.set(probe, at: record + 8)
      try core.set(unused + 0x100 + 16, at: patient.task + (try #require(patient.members["kretprobe_instances"])))
      try core.set(unused + 0x200 + 16, at: unused + 0x100 + 16)
      try core.set(0, at: unused + 0x200 + 16)
      for (instance, ret, fp) in [(unused + 0x100, pc - 64, key + 32), (unused + 0x200, pc, key)] {
        try core.set(ret, at: instance + 32)
        try core.set(fp, at: instance + 40)
      }
      try check("kretprobe")
    }
  }

  // MARK: - The log

  private static let dead = DumpEntry.all.filter { $0.name.hasPrefix("oops-612") }

  @Test(
    "With the log overwritten, registers, pc and stack stay, and ESR is said to be unknown",
    .enabled(if: !dead.isEmpty), arguments: dead)
  func overwrittenLog(_ entry: DumpEntry) throws {
    let original = try #require(entry.elfDumps.first).path()
    let facts = try entry.facts()
    let before = try Kva.run(["fault", original, "--json"]).object()
    let stackBefore = try Kva.run(["stack", original, "--json"]).object()
    let console = try entry.lines("oracle/serial.log").joined(separator: "\n")
    try Scratch.withFolder { folder in
      let core = try PatchedCore(
        copying: original, to: folder.appendingPathComponent("vmcore").path,
        root: facts.swapperPgDir &- facts.kimageVoffset)
      let kallsyms = try entry.kallsyms()
      let start = try core.word(#require(kallsyms["log_buf"]))
      let length = UInt64(try core.half(#require(kallsyms["log_buf_len"])))
      try #require(length > 1 << 16 && length <= 1 << 24)
      for page in stride(from: start, to: start + length, by: 4096) {
        // Pages of zeros were left out.
        try? core.set([UInt8](repeating: UInt8(ascii: "x"), count: 4096), at: page)
      }
      let text = try Kva.run(["dmesg", core.path]).text
      #expect(!text.contains("Unable to handle") && !text.contains("Insufficient stack"))
      let fault = try Kva.run(["fault", core.path, "--json"]).object()
      #expect(fault["esr"] is NSNull && fault["class"] is NSNull)
      let registers = try #require(fault["registers"] as? [String: String])
      for name in ["sp", "x29", "x28", "x19", "x1", "x0"] {
        let expression = try NSRegularExpression(pattern: "\\b\(name) ?: ([0-9a-f]{16})")
        let match = try #require(
          expression.firstMatch(in: console, range: NSRange(console.startIndex..., in: console)))
        let printed = console[try #require(Range(match.range(at: 1), in: console))]
        #expect(try parseAddress(#require(registers[name])) == UInt64(printed, radix: 16), "\(name)")
      }
      let pc = try #require(fault["pc"] as? [String: Any])
      #expect(pc["symbol"] as? String == (before["pc"] as? [String: Any])?["symbol"] as? String)
      #expect(pc["offset"] as? Int == (before["pc"] as? [String: Any])?["offset"] as? Int)
      #expect(try Kva.run(["fault", core.path]).text.contains("ESR is not known"))
      #expect(try Kva.run(["report", core.path, "--json"]).object()["signature"] is NSNull)
      let stack = try Kva.run(["stack", core.path, "--json"]).object()
      #expect(NSDictionary(dictionary: stack) == NSDictionary(dictionary: stackBefore))
    }
  }
}
