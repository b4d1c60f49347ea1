import Foundation
import TestSupport
import Testing

/// The tasks of CPUs whose `__entry_task` leads nowhere, against SP_EL0, which has the task of a CPU in the kernel, and
/// TTBR0.
struct RunningTaskTests {
  private static let entries =
    ["c61-4k48-nokaslr"].compactMap { try? DumpEntry.named($0) }
    + DumpEntry.corpus.filter { $0.name == "c612-4k48-rich-max" }

  private func number(_ value: Any?) -> UInt64? { (value as? String).flatMap { UInt64($0.dropFirst(2), radix: 16) } }

  @Test("The task is the one that says that it runs, or the idle task that the registers have", arguments: entries)
  func withoutEntryTask(_ entry: DumpEntry) throws {
    let facts = try entry.facts()
    let kallsyms = try entry.kallsyms()
    let table = try #require(kallsyms["__per_cpu_offset"])
    let variable = try #require(kallsyms["__entry_task"])
    let registers = try entry.registers()
    try Scratch.withFolder { folder in
      let core = try PatchedCore(
        copying: try entry.path("vmcore.elf"), to: folder.appendingPathComponent("vmcore").path,
        root: facts.swapperPgDir &- facts.kimageVoffset)
      for cpu in registers.indices { try core.set(0, at: variable &+ core.word(table + UInt64(cpu) * 8)) }
      let cpus = try #require(
        try Kva.run(["info", core.path, "--json", "--no-debuginfo"]).object()["cpus"] as? [[String: Any]])
      try #require(cpus.count == registers.count)
      for (cpu, held) in zip(cpus, registers) {
        if try #require(held["cpsr"]) & 0xf == 0 {
          #expect(number(cpu["ttbr0"]).map { $0 & 0xffff_ffff_fffe } == held["TTBR0_EL1"].map { $0 & 0xffff_ffff_fffe })
        } else {
          #expect(number(cpu["task"]) == held["SP_EL0"], "\(cpu["cpu"] ?? "")")
        }
      }
    }
  }

  /// As on a kernel of 5.10 without CONFIG_KALLSYMS_ALL: nothing names `__entry_task` and `runqueues`.
  @Test(
    "The task of a CPU whose per-CPU variables have no names",
    .enabled(if: Checkout.corpus != nil, "no corpus here: set KVA_CORPUS"),
    arguments: DumpEntry.corpus.filter { $0.name == "deb61-4k48-rich" })
  func withoutNames(_ entry: DumpEntry) throws {
    let facts = try entry.facts()
    let registers = try entry.registers()
    try Scratch.withFolder { folder in
      let core = try PatchedCore(
        copying: try entry.path("vmcore.elf"), to: folder.appendingPathComponent("vmcore").path,
        root: facts.swapperPgDir &- facts.kimageVoffset)
      for name in ["__entry_task", "runqueues", "cpu_number"] {
        let text = [0] + Array(name.utf8) + [0]
        try core.replaceAll(text, with: [0] + Array(name.utf8.dropLast()) + [UInt8(ascii: "?"), 0])
      }
      let info = try Kva.run(["info", core.path, "--json", "--no-debuginfo"]).object()
      let cpus = try #require(info["cpus"] as? [[String: Any]])
      try #require(cpus.count == registers.count && !cpus.isEmpty)
      for (cpu, held) in zip(cpus, registers) where try #require(held["cpsr"]) & 0xf != 0 {
        #expect(number(cpu["task"]) == held["SP_EL0"], "\(cpu["cpu"] ?? "")")
        #expect(cpu["pid"] is Int && cpu["ttbr0"] is String)
      }
      let tables = try Kva.run(["resolve", core.path, "--no-debuginfo", "--ttbr0", "cpu0", "0x10000"])
      #expect(!tables.standardError.contains("cannot be found"), "\(tables.standardError)")
    }
  }
}
