import KernelVA
import TestSupport
import Testing

/// Entries of pages in swap: each bit of each field, in the encoding of each era.
@Suite struct SwapEntryTests {
  /// A kernel of `release` whose user table of level 3 has these entries from index 0 on, and what it says of each.
  private func answers(_ entries: [UInt64], release: String, functions: [String] = []) throws -> [NonPresentEntry?] {
    try Scratch.withFolder { folder in
      var kernel = AuditedKernel()
      kernel.vmcoreinfo[0] = "OSRELEASE=\(release)"
      let root: UInt64 = 0x4018_0000
      var user = TableWriter(.k4, .bits48, vaBits: 48, root: root, firstTable: 0x4019_0000)
      for (index, entry) in entries.enumerated() {
        let leaf = try #require(user.map(UInt64(index) << 12, to: 0).last)
        user.words[leaf.address] = entry
      }
      for (address, word) in user.words { kernel.memory[address] = word }
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      let map = folder.appendingPathComponent("System.map").path
      try (["_stext"] + functions).map { "ffff800008000000 T \($0)\n" }.joined()
        .write(toFile: map, atomically: true, encoding: .utf8)
      let read = try Kernel(in: DumpFile(path: path), systemMap: map)
      let tables = read.userRegime(root: PhysicalAddress(root))
      return entries.indices.map {
        let resolution = read.resolve(VirtualAddress(UInt64($0) << 12), user: tables)
        #expect(resolution.status == .unmapped)
        return resolution.absentPage
      }
    }
  }

  @Test("Every bit of the slot, every number of an area, and flags beside them", arguments: SwapEntryWriter.allCases)
  func bits(_ era: SwapEntryWriter) throws {
    #expect(era.offsetBits == 50)
    // Without the functions that need numbers of their own, all below 31 are areas.
    let areas: [(type: Int, offset: UInt64)] = (0..<31).map { ($0, 0x2_a5a5_1234_5678) }
    let slots: [(type: Int, offset: UInt64)] = (0..<50).map { (5, 1 << UInt64($0)) }
    let ends: [(type: Int, offset: UInt64)] = [(1, 0), (0, 1), (30, 1 << 50 - 1)]
    let all = areas + slots + ends
    for flags in [0] + era.flags {
      let entries = all.map { era.entry(type: $0.type, offset: $0.offset) | flags }
      let answers = try answers(entries, release: era.rawValue)
      let wanted: [NonPresentEntry] = all.map { .swapped(type: $0.type, offset: $0.offset) }
      #expect(answers == wanted)
    }
  }

  @Test("No bit of one era's entry is read by another's rule")
  func eras() throws {
    for era in SwapEntryWriter.allCases {
      for other in SwapEntryWriter.allCases where other != era {
        let entry = era.entry(type: 3, offset: 0x12345)
        #expect(try answers([entry], release: other.rawValue) != [.swapped(type: 3, offset: 0x12345)])
      }
    }
  }

  /// The numbers from 31 down by include/linux/swap.h of each version: one of pages that swap lost from 5.19 to 6.1
  /// (SWP_SWAPIN_ERROR), one marker since 6.2 (arm64 did not have CONFIG_PTE_MARKER before); of a device's memory 2, since
  /// 5.14 4 and since 6.15 3; of migration 2, since 5.19 3; one of memory that failed.
  @Test(
    "Numbers that are no areas, by the functions that the kernel was built with",
    arguments: [
      ("5.10.0", ["memory_failure", "migrate_pages", "migrate_vma_setup"], "ddmmp"),
      ("5.15.0", ["memory_failure", "migrate_pages", "migrate_vma_setup", "make_device_exclusive_range"], "ddddmmp"),
      ("5.15.0", ["migrate_pages"], "mm"),
      ("5.15.0", ["memory_failure"], "p"),
      ("6.1.0", ["memory_failure", "migrate_pages", "make_device_exclusive_range"], "eddddmmmp"),
      ("6.2.0", ["memory_failure", "migrate_pages"], "nmmmp"),
      ("6.12.0", ["memory_failure", "migrate_pages", "make_device_exclusive_range"], "nddddmmmp"),
      ("6.12.0", ["memory_failure"], "np"),
      ("7.2.0", ["memory_failure", "migrate_pages", "make_device_exclusive"], "ndddmmmp"),
    ] as [(String, [String], String)])
  func numbers(release: String, functions: [String], kinds: String) throws {
    let era: SwapEntryWriter = release.hasPrefix("5") ? .v4 : ["6.1.0", "6.2.0"].contains(release) ? .v519 : .v610
    let offset: UInt64 = 0x40210
    let entries = (0..<32).map { era.entry(type: $0, offset: offset) }
    let answers = try answers(entries, release: release, functions: functions)
    let frame = PhysicalAddress(0x4021_0000)
    let wanted: [NonPresentEntry] = (0..<32).map { type in
      switch kinds.dropFirst(31 - type).first {
      case "n": .marker(offset)
      case "e": .swapError
      case "d": .device(type: type, offset: offset)
      case "m": .migration(frame)
      case "p": .poisoned(frame)
      default: .swapped(type: type, offset: offset)
      }
    }
    #expect(answers == wanted)
  }

  @Test("The frame of a page that is being moved, without the young and dirty bits above it (6.1)")
  func youngAndDirty() throws {
    // SWP_MIG_YOUNG_BIT is bit MAX_PHYSMEM_BITS - PAGE_SHIFT of the offset, SWP_MIG_DIRTY_BIT the next. (2e3468778dbe
    // "mm: remember young/dirty bit for page migrations", include/linux/swapops.h; the kernel here has 44 bits.)
    let offsets: [UInt64] = [0x40210, 0x40210 | 1 << 32, 0x40210 | 1 << 33, 0x40210 | 3 << 32]
    let entries = offsets.map { SwapEntryWriter.v610.entry(type: 28, offset: $0) }
    let answers = try answers(entries, release: "6.12.0", functions: ["migrate_pages"])
    #expect(answers == [NonPresentEntry?](repeating: .migration(PhysicalAddress(0x4021_0000)), count: 4))
  }
}
