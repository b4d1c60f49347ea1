import Foundation
import TestSupport
import Testing

/// What each CPU did, where the kernel is not as usual.
@Suite struct CPUTests {
  private func cpus(_ path: String) throws -> [[String: Any]] {
    try #require(Kva.run(["info", path, "--json", "--no-debuginfo"]).object()["cpus"] as? [[String: Any]])
  }

  private func tag(_ pointer: UInt64) -> UInt64 { pointer & ~(0xff << 56) | 0xf3 << 56 }

  private func core(_ name: String, _ folder: URL) throws -> PatchedCore {
    let entry = try DumpEntry.named(name)
    let root =
      try #require(entry.vmcoreinfo()["SYMBOL(swapper_pg_dir)"].flatMap { UInt64($0, radix: 16) })
      &- entry.facts().kimageVoffset
    return try PatchedCore(
      copying: entry.path("vmcore.elf"), to: folder.appendingPathComponent("vmcore").path, root: root)
  }

  /// KASAN's hardware and software tags are in the top byte of pointers to slab objects.
  @Test("Pointers with a tag are followed and compared as those without")
  func tags() throws {
    try Scratch.withFolder { folder in
      let core = try core("c61-4k48-nokaslr", folder)
      let first = try #require(DumpEntry.named("c61-4k48-nokaslr").kallsyms()["init_task"])
      let plain = try Kva.run(["tasks", core.path, "--json", "--no-debuginfo"])
      let before = try cpus(core.path)
      let tasks = try plain.objects()
      let structures = try tasks.map { try parseAddress(#require($0["task"] as? String)) }
      // Where the list of tasks is in a task: init_task's leads to the same place of another.
      let slot = try #require(
        (0..<UInt64(1024)).first { slot in
          (try? core.word(first + slot * 8)).map { $0 != first + slot * 8 && structures.contains($0 &- slot * 8) }
            ?? false
        })
      var pointers = try tasks.suffix(3).compactMap { try ($0["mm"] as? String).map(parseAddress) }
      pointers += structures.dropFirst().prefix(3).map { $0 + slot * 8 }
      let running = try before.compactMap { try ($0["task"] as? String).map(parseAddress) }
      for pointer in pointers + running.filter({ $0 != first }) {
        try core.replaceAll([UInt8](little: pointer), with: [UInt8](little: tag(pointer)))
      }
      #expect(pointers.count >= 4 && running.count == before.count)
      let after = try Kva.run(["tasks", core.path, "--json", "--no-debuginfo"])
      #expect(after.text == plain.text)
      #expect(after.standardError == plain.standardError)
      for (old, new) in zip(before, try cpus(core.path)) {
        for key in ["pid", "task", "ttbr0", "ttbr1"] {
          #expect("\(old[key] ?? "")" == "\(new[key] ?? "")", "\(key)")
        }
      }
      let query = "0x" + String(tag(structures[2] + 16), radix: 16)
      let found = try Kva.run(["identify", core.path, query, "--json", "--no-debuginfo"]).object()
      #expect(found["kind"] as? String == "task_struct")
    }
  }

  /// A kernel that names functions alone, and whose BTF does not say where `__entry_task` is.
  @Test(
    "A CPU's task is the one that says that it runs there, where no per-CPU variable does",
    .enabled(if: Checkout.corpus != nil, "no corpus here: set KVA_CORPUS"))
  func onCPU() throws {
    try Scratch.withFolder { folder in
      let core = try core("deb61-4k48-kvm-nvhe", folder)
      let before = try cpus(core.path)
      try core.replaceAll(Array("\0__entry_task\0".utf8), with: Array("\0__entry_tasq\0".utf8))
      let after = try cpus(core.path)
      #expect(after.count == before.count)
      for (old, new) in zip(before, after) {
        #expect(new["pid"] as? Int == old["pid"] as? Int)
        #expect(new["ttbr0"] as? String == old["ttbr0"] as? String)
        #expect(new["userTables"] as? String == old["userTables"] as? String)
      }
      #expect(before.contains { $0["pid"] as? Int ?? 0 > 0 })
    }
  }

  /// 6.12, 4 KiB pages, 48 bits: TRAMP_VALIAS is at 0xffffffffff5f8000 with neither GHES nor nested KVM.
  private func kernel(hasTrampoline: Bool) -> PlainKernel {
    var kernel = PlainKernel(
      .k4, .bits48, shape: 48, bits: 48, release: "6.12.0", text: 0xffff_8000_8000_0000, linear: 0xffff_0000_0000_0000)
    // rodata=off: the text may be written. KPTI: it is not global.
    for page in UInt64(0)..<16 {
      kernel.writer.map(
        kernel.text + page << 12, to: PlainKernel.ram + page << 12, attributes: 0x0040_0000_0000_0700 | 1 << 11)
    }
    // The linear map has more memory than the image.
    kernel.writer.map(kernel.linear + 0x20_0000, to: 0x4020_0000, level: 2, attributes: AuditedKernel.data)
    // At EL0.
    kernel.registers = [UInt64](repeating: 0, count: 32) + [0x40_0000, 0]
    guard hasTrampoline else { return kernel }
    var tables = TableWriter(.k4, .bits48, vaBits: 48, root: 0x400f_e000, firstTable: 0x401e_0000)
    for page in UInt64(0)..<3 {
      tables.map(
        0xffff_ffff_ff5f_8000 + page << 12, to: PlainKernel.ram + 0x8000 + page << 12,
        attributes: 0x0040_0000_0000_0700)
    }
    kernel.memory.merge(tables.words, uniquingKeysWith: { a, _ in a })
    return kernel
  }

  @Test("With rodata=off text may be written: the root is found by structure, and the trampoline's by its place")
  func writableText() throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      var kernel = kernel(hasTrampoline: true)
      try kernel.write(to: path)
      #expect(try cpus(path)[0]["ttbr1"] as? String == "0x400fe000")
      kernel.vmcoreinfo = []
      try kernel.write(to: path)
      let info = try Kva.run(["info", path, "--json"]).object()
      #expect((info["swapperPgDir"] as? [String: String])?["physical"] == "0x40100000")
      let root = try #require((info["rootCandidates"] as? [[String: Any]])?.first)
      #expect((root["evidence"] as? [String])?.contains("the image has text that is executable") == true)
    }
  }

  @Test("TTBR1 is null where it holds tables that were not found, and the source says so")
  func noTrampoline() throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try kernel(hasTrampoline: false).write(to: path)
      let cpu = try cpus(path)[0]
      #expect(cpu["ttbr1"] is NSNull)
      let source = try #require((cpu["sources"] as? [String: Any])?["ttbr1"] as? String)
      #expect(source.contains("tramp_pg_dir, which was not found"))
      #expect(try Kva.run(["info", path]).text.contains("TTBR1 unknown"))
    }
  }
}
