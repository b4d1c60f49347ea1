import Foundation
import TestSupport
import Testing

/// Output addresses that the kernel's configuration alone does not explain.
@Suite struct OutputAddressTests {
  private func withKernel(
    _ kernel: PlainKernel, _ body: (_ path: String, _ systemMap: String) throws -> Void
  ) throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      let map = folder.appendingPathComponent("System.map").path
      try Data(kernel.systemMap.utf8).write(to: URL(fileURLWithPath: map))
      try body(path, map)
    }
  }

  /// The top bit of a Realm's 48-bit IPA space marks what it shares (PROT_NS_SHARED, asm/pgtable-prot.h).
  @Test(
    "A page that a Realm shares is the page without the bit, and said to be shared", arguments: [47, 40] as [UInt64])
  func realm(_ bit: UInt64) throws {
    var kernel = PlainKernel(
      .k4, .bits48, shape: 48, bits: 48, release: "6.14.0", text: 0xffff_8000_8000_0000, linear: 0xffff_0000_0000_0000)
    kernel.writer.map(
      kernel.linear + 0x1f_0000, to: PlainKernel.ram + 0x1f_0000 | 1 << bit, attributes: AuditedKernel.data)
    kernel.systemMap += "\(String(kernel.text + 0x1000, radix: 16)) B prot_ns_shared\n"
    kernel.memory[PlainKernel.ram + 0x1000] = 1 << bit
    kernel.memory[PlainKernel.ram + 0x1f_0010] = 0x0123_4567_89ab_cdef
    try withKernel(kernel) { path, map in
      let query = "0xffff0000001f0010"
      let options = ["--system-map", map, "--json"]
      let answer = try Kva.run(["resolve", path, query] + options).object()
      #expect(answer["physical"] as? String == "0x401f0010")
      #expect(answer["inDump"] as? Bool == true)
      #expect(answer["shared"] as? Bool == true)
      #expect(answer["doubt"] == nil)
      #expect(try Kva.run(["resolve", path, "0xffff0000001e0010"] + options).object()["shared"] == nil)
      let bytes = try Kva.run(["read", path, query, "8", "--raw", "--system-map", map])
      #expect(bytes.output == Data([UInt8](little: 0x0123_4567_89ab_cdef)))
      let findings = try Kva.run(["audit", path] + options).objects().compactMap { $0["code"] as? String }
      #expect(!findings.contains("linear-map-differs") && !findings.contains("outside-ram"), "\(findings)")
      let ranges = try Kva.run(["ptdump", path, "--region", "linear map"] + options).objects()
      #expect(ranges.first?["physical"] as? String == "0x40000000")
      #expect(ranges.first?["size"] as? UInt64 == PlainKernel.ramSize)
    }
    // In no Realm the variable is 0, and the bit is an address.
    kernel.memory[PlainKernel.ram + 0x1000] = 0
    try withKernel(kernel) { path, map in
      let answer = try Kva.run(["resolve", path, "0xffff0000001f0010", "--system-map", map, "--json"]).object()
      #expect(answer["inDump"] as? Bool == false)
      #expect(answer["shared"] == nil)
      #expect(answer["doubt"] != nil)
    }
  }

  /// The log of this kernel says "IPA Size Limit: 44 bits", and TCR_EL1.IPS of its CPUs is 4 (oracle/sysregs.json).
  @Test(
    "An address beyond TCR_EL1.IPS is an address size fault",
    .enabled(if: Checkout.corpus != nil, "no corpus here: set KVA_CORPUS"))
  func beyondIPS() throws {
    let entry = try DumpEntry.named("deb61-4k48-kvm-nvhe")
    let facts = try entry.facts()
    let root =
      try #require(entry.vmcoreinfo()["SYMBOL(swapper_pg_dir)"].flatMap { UInt64($0, radix: 16) })
      &- facts.kimageVoffset
    try Scratch.withFolder { folder in
      let core = try PatchedCore(
        copying: entry.path("vmcore.elf"), to: folder.appendingPathComponent("vmcore").path, root: root)
      let samples = try entry.mmu().kernelSamples.filter { $0.physical != nil && !$0.hasTag }
      let stack = try #require(samples.first { $0.virtual >> 32 == 0xffff_8000 })
      for (target, status) in [(0x800_0000_0000 as UInt64, "mapped"), (0x1000_0000_0000, "corrupt")] {
        try core.map(stack.virtual, to: target)
        let answer = try Kva.run(["resolve", core.path, "0x" + String(stack.virtual, radix: 16), "--json"]).object()
        #expect(answer["status"] as? String == status)
        if status == "corrupt" { #expect((answer["message"] as? String)?.contains("beyond the 44 bits") == true) }
        let findings = try Kva.run(["audit", core.path, "--json"]).objects().compactMap { $0["code"] as? String }
        #expect(findings.contains("address-out-of-range") == (status == "corrupt"), "\(findings)")
        try core.restore()
      }
    }
  }

  /// Blocks of level 1 have 4 TiB with 64 KiB pages, and are there with 52-bit addresses alone (Arm ARM, FEAT_LPA).
  @Test("A block of 4 TiB is unusual for physical addresses of 48 bits", arguments: [48, 52])
  func largeBlock(_ bits: Int) throws {
    var kernel = PlainKernel(
      .k64, .lpa, shape: 48, bits: 48, release: "6.12.0", text: 0xffff_8000_8000_0000, linear: 0xffff_0000_0000_0000)
    kernel.vmcoreinfo += ["NUMBER(TCR_EL1_T1SZ)=0x10", "NUMBER(MAX_PHYSMEM_BITS)=\(bits)"]
    kernel.writer.map(0xffff_9000_0000_0000, to: 0, level: 1, attributes: AuditedKernel.data)
    try withKernel(kernel) { path, _ in
      let answer = try Kva.run(["resolve", path, "0xffff900040010008", "--json"]).object()
      #expect(answer["status"] as? String == "mapped")
      #expect(answer["physical"] as? String == "0x40010008")
      #expect((answer["mapping"] as? [String: Any])?["size"] as? UInt64 == 4 << 40)
      #expect((answer["doubt"] as? String)?.contains("unusual for this width") ?? false == (bits == 48))
    }
  }

  /// PTE_DEVMAP came in 5.3 and went in 6.17; bit 58 of a valid entry is PTE_UFFD_WP since 6.10.
  @Test(
    "Software bits are named as the kernel's version has them",
    arguments: [("5.1.0", []), ("5.4.0", ["devmap"]), ("6.12.0", ["devmap", "uffd-wp"]), ("7.2.0", ["uffd-wp"])])
  func softwareBits(_ release: String, _ names: [String]) throws {
    var kernel = PlainKernel(
      .k4, .bits48, shape: 48, bits: 48, release: release, text: 0xffff_8000_8000_0000, linear: 0xffff_0000_0000_0000)
    kernel.writer.map(
      0xffff_8000_9000_0000, to: PlainKernel.ram, attributes: AuditedKernel.data | 1 << 57 | 1 << 58)
    try withKernel(kernel) { path, _ in
      let answer = try Kva.run(["resolve", path, "0xffff800090000000", "--json", "--walk"]).object()
      #expect((answer["attributes"] as? [String: Any])?["software"] as? [String] == names)
      let text = try Kva.run(["resolve", path, "0xffff800090000000", "--walk"]).text
      #expect(text.contains("DEVMAP") == names.contains("devmap"))
    }
  }
}
