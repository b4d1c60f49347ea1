import Foundation
import TestSupport
import Testing

/// `--ttbr0` takes what `info` and the registers have: the value of TTBR0 as well as a physical address.
@Suite struct UserTablesTests {
  private static let entries = ["c612-64k52", "c61-4k48-nokaslr"]

  @Test("The register's value leads where the MMU went, with ASID and CnP", arguments: entries)
  func register(_ name: String) throws {
    let entry = try DumpEntry.named(name)
    let path = try entry.path("vmcore.elf")
    let (cpu, samples) = try #require(try entry.mmu().userSamples.first)
    let mapped = samples.filter { $0.physical != nil }
    try #require(mapped.count > 50)
    let held = try #require(try entry.registers()[cpu]["TTBR0_EL1"])
    let info = try Kva.run(["info", path, "--json", "--no-debuginfo"]).object()
    let printed = try #require((info["cpus"] as? [[String: Any]])?[cpu]["ttbr0"] as? String)
    let root = held & 0xffff_ffff_ffc0
    for tables in [printed] + [held, held | 1, root | 0x1234 << 48, root | 0xffff << 48 | 1, root].map(hex) {
      let answers = try Kva.run(
        ["resolve", path, "--json", "--ttbr0", tables], input: mapped.map { hex($0.virtual) + "\n" }.joined()
      ).objects()
      #expect(answers.map { $0["physical"] as? String } == mapped.map { $0.physical.map(hex) }, "\(tables)")
    }
  }

  @Test("A root that no table can have is refused", arguments: zip(entries, [UInt64(0x40), 0x10]))
  func misaligned(_ name: String, _ distance: UInt64) throws {
    let entry = try DumpEntry.named(name)
    let path = try entry.path("vmcore.elf")
    let (cpu, _) = try #require(try entry.mmu().userSamples.first)
    let root = try #require(try entry.registers()[cpu]["TTBR0_EL1"]) & 0xffff_ffff_ffc0
    let answer = try Kva.run(["resolve", path, "--ttbr0", hex(root + distance), "0x400000"])
    #expect(answer.status == 1 && answer.text == "")
    #expect(answer.standardError.contains("no root table begins at '\(hex(root + distance))'"))
  }

  private func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}
