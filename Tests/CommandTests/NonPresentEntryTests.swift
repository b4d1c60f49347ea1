import Foundation
import TestSupport
import Testing

/// Entries of user space that the hardware takes as invalid, written as each era of kernels writes them.
/// (arch/arm64/include/asm/pgtable.h, `__swp_type`, `pte_protnone`, `pmd_mkinvalid`)
@Suite struct AbsentPageTests {
  /// The process's page that an entry is put in, by the level of its table.
  private static let places: [Int: UInt64] = [3: 0x5555_5555_5000, 2: 0x5555_5560_0000, 1: 0x5555_8000_0000]

  /// Answers for `entry` at `level` in user tables of a kernel whose VMCOREINFO has `lines` besides.
  private func answer(_ entry: UInt64, level: Int = 3, release: String, lines: [String] = []) throws -> [String: Any] {
    try Scratch.withFolder { folder in
      var kernel = AuditedKernel()
      kernel.vmcoreinfo[0] = "OSRELEASE=\(release)"
      kernel.vmcoreinfo += lines
      var user = TableWriter(.k4, .bits48, vaBits: 48, root: 0x4018_0000, firstTable: 0x4019_0000)
      let place = try #require(Self.places[level])
      let leaf = try #require(user.map(place, to: 0x4021_0000, level: level == 3 ? 3 : level).last)
      user.words[leaf.address] = entry
      for (address, word) in user.words { kernel.memory[address] = word }
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      let result = try Kva.run(["resolve", path, "--ttbr0", "0x40180000", "--json", hex(place + 8)])
      #expect(result.status == 1)
      return try result.object()
    }
  }

  /// Swap area 3, slot 0x12345, in each encoding, worked by hand:
  /// up to 5.18   3 << 2 | 0x12345 << 8
  /// 5.19 to 6.9  3 << 3 | 0x12345 << 8, and with the exclusive bit 2
  /// 6.10         3 << 6 | 0x12345 << 12, and with the exclusive and the uffd-wp bit
  @Test(
    arguments: [
      (0x123_450c, "5.10.0", []), (0x123_450c, "5.18.7", []), (0x123_4518, "5.19.0", []),
      (0x123_451c, "6.1.0", []),
      (0x123_4518, "vendor", ["SYMBOL(kallsyms_names)=ffff800008010000", "NUMBER(PG_slab)=9"]),
      (0x1234_50c0, "6.12.0", []), (0x1234_50cc, "vendor", ["NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-129"]),
      (0x1234_50c0, "6.9.0", ["NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-129"]),
    ] as [(UInt64, String, [String])])
  func swapped(entry: UInt64, release: String, lines: [String]) throws {
    let answer = try answer(entry, release: release, lines: lines)
    #expect(answer["status"] as? String == "unmapped")
    #expect(answer["entry"] as? String == "swapped", "\(release)")
    #expect(answer["swapType"] as? Int == 3)
    #expect(answer["swapOffset"] as? String == "0x12345")
    #expect((answer["message"] as? String)?.contains("swapped out") == true)
  }

  @Test("The widest fields: every bit of type and offset")
  func widest() throws {
    // The last type below all special numbers, 22, and all 50 bits of the offset.
    let old = try answer(22 << 2 | 0x3_ffff_ffff_ffff << 8, release: "5.10.0")
    #expect(old["swapType"] as? Int == 22)
    #expect(old["swapOffset"] as? String == "0x3ffffffffffff")
    let new = try answer(22 << 6 | 0x3_ffff_ffff_ffff << 12, release: "6.12.0")
    #expect(new["swapType"] as? Int == 22)
    #expect(new["swapOffset"] as? String == "0x3ffffffffffff")
  }

  /// A page at 0x40210000 with PXN, UXN, nG, AF, SH, AP[2], AttrIndx 0.
  @Test(
    "PROT_NONE",
    arguments: [
      // Bit 58 without bit 0, bit 1 as in any page.
      (0x0460_0000_4021_0f82, "4.19.0"), (0x0460_0000_4021_0f82, "6.8.0"),
      // Bit 11 without bit 0; not accessible and not executable for EL0.
      (0x0060_0000_4021_0f82, "6.10.0"),
    ] as [(UInt64, String)])
  func protNone(entry: UInt64, release: String) throws {
    let answer = try answer(entry, release: release)
    #expect(answer["status"] as? String == "unmapped")
    #expect(answer["entry"] as? String == "prot-none")
    #expect(answer["pagePhysical"] as? String == "0x40210000")
    #expect(answer["physical"] == nil)
  }

  @Test(
    "A huge page that is being split",
    arguments: [
      // PMD_PRESENT_INVALID is bit 59; the block's own bits are a user's.
      (0x08e0_0000_4020_0fc0, "5.10.0"), (0x08e0_0000_4020_0fc0, "6.9.0"),
      // Bit 11 again, but accessible from EL0.
      (0x00e0_0000_4020_0fc0, "6.10.0"),
    ] as [(UInt64, String)])
  func split(entry: UInt64, release: String) throws {
    let answer = try answer(entry, level: 2, release: release)
    #expect(answer["entry"] as? String == "present-invalid")
    #expect(answer["pagePhysical"] as? String == "0x40200000")
  }

  @Test("Nothing, at each level", arguments: [1, 2, 3])
  func empty(level: Int) throws {
    let answer = try answer(0, level: level, release: "6.1.0")
    #expect(answer["entry"] as? String == "empty")
    #expect(answer["message"] as? String == "the entry at level \(level) is invalid")
  }

  @Test(
    "The numbers above those of swap areas, of a kernel that has each",
    arguments: [
      // 5.19 to 6.1: one for memory that failed, three for migration, none for devices, one of lost pages.
      (26, "swapped"), (27, "poisoned"), (28, "migration"), (30, "migration"), (31, "swap-error"),
    ])
  func special(type: Int, name: String) throws {
    try Scratch.withFolder { folder in
      var kernel = AuditedKernel()
      var user = TableWriter(.k4, .bits48, vaBits: 48, root: 0x4018_0000, firstTable: 0x4019_0000)
      let leaf = try #require(user.map(0x5000, to: 0).last)
      user.words[leaf.address] = UInt64(type) << 3 | 0x40210 << 8
      for (address, word) in user.words { kernel.memory[address] = word }
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      let map = folder.appendingPathComponent("System.map")
      let names = ["_stext", "memory_failure", "migrate_pages"]
      try Data(names.map { "ffff800008000000 T \($0)\n" }.joined().utf8).write(to: map)
      let answer = try Kva.run(
        ["resolve", path, "--ttbr0", "0x40180000", "--json", "0x5000", "--system-map", map.path]
      ).object()
      #expect(answer["entry"] as? String == name)
      if ["poisoned", "migration"].contains(name) { #expect(answer["pagePhysical"] as? String == "0x40210000") }
    }
  }

  @Test(
    "Pages that a process closed to itself, by its own list of mappings",
    arguments: (DumpEntry.testData + DumpEntry.corpus).filter { !$0.isNotedEarlier && !$0.name.hasPrefix("oops-") }
      .flatMap(\.elfDumps))  // After an oops no CPU is at EL0.
  func realProtNone(_ dump: Dump) throws {
    let page = try dump.entry.facts().pageSize
    // START-END ---p ...: the process wrote to some of these pages before it closed them.
    var closed: [UInt64] = []
    for line in try dump.entry.lines("oracle/holder_maps.txt") where line.contains(" ---p ") {
      let bounds = try line.prefix { $0 != " " }.split(separator: "-").map { try parseAddress(String($0)) }
      closed += Array(stride(from: bounds[0], to: bounds[1], by: Int(page)))
    }
    #expect(closed.count == 4)
    let registers = try #require(dump.entry.registers().first { ($0["cpsr"] ?? 0) & 0xf == 0 })
    let facts = try dump.entry.facts()
    let held = try #require(registers[facts.kernelAt.hasPrefix("EL2") ? "TTBR0_EL2" : "TTBR0_EL1"]) & 0xffff_ffff_fffe
    let isWide = page == 65536 && facts.vaBits == 52 || facts.hasDS
    let root = isWide ? held & ~0x3f | (held >> 2 & 0xf) << 48 : held
    let answers = try Kva.run(["resolve", dump.path(), "--json", "--ttbr0", hex(root)] + closed.map(hex)).objects()
    #expect(answers.allSatisfy { $0["status"] as? String == "unmapped" })
    let entries = answers.map { $0["entry"] as? String ?? "" }
    #expect(Set(entries).isSubset(of: ["prot-none", "empty"]) && entries.contains("prot-none"), "\(entries)")
    for answer in answers where answer["entry"] as? String == "prot-none" {
      let frame = try parseAddress(#require(answer["pagePhysical"] as? String))
      #expect(frame % page == 0 && frame >= 0x4000_0000 && frame < 0x6000_0000)
    }
  }

  @Test("Where nothing tells the version, no more than that it is not present")
  func unknown() throws {
    #expect(try answer(0x123_4518, release: "vendor")["entry"] as? String == "not-present")
  }

  @Test("Entries of the kernel's half are not read so")
  func kernel() throws {
    try Scratch.withFolder { folder in
      var kernel = AuditedKernel()
      kernel.change(AuditedKernel.vmalloc) { $0 & ~1 }
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      let answer = try Kva.run(["resolve", path, "--json", hex(AuditedKernel.vmalloc)]).object()
      #expect(answer["status"] as? String == "unmapped" && answer["entry"] == nil)
    }
  }
}
