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
}
