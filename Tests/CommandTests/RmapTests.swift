import Foundation
import TestSupport
import Testing

/// From physical to virtual, and the walk beside arithmetic.
@Suite struct RmapTests {
  typealias Kernel = AuditedKernel

  @Test("Every address that maps a frame, in order, with the offset in it")
  func all() throws {
    try Scratch.withFolder { folder in
      var kernel = AuditedKernel()
      // A block of 2 MiB over all of it, besides.
      kernel.writer.map(Kernel.vmalloc + 0x4000_0000, to: 0x4000_0000, level: 2, attributes: Kernel.data)
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      let result = try Kva.run(["rmap", path, "0x40001238", "--json"])
      #expect(result.status == 0)
      let found = try result.objects()
      #expect(
        found.map { $0["virtual"] as? String } == [
          "0xffff000000001238", "0xffff800008001238", "0xffff800050001238",
        ])
      #expect(found.map { $0["region"] as? String } == ["linear map", "kernel image", "vmalloc"])
      #expect(found.allSatisfy { $0["physical"] as? String == "0x40001238" })
      let sizes = found.map { ($0["mapping"] as? [String: Any])?["size"] as? Int }
      #expect(sizes == [4096, 4096, 2 << 20])
      #expect(try Kva.run(["rmap", path, "0x40001238"]).lines.count == 3)
      let nothing = try Kva.run(["rmap", path, "0x50000000"])
      #expect(nothing.status == 1)
      #expect(nothing.text == "")
      #expect(nothing.errorLines.count == 1)
      #expect(try Kva.run(["rmap", path, "text"]).status == 64)
    }
  }

  @Test("What the MMU maps, rmap finds again")
  func real() throws {
    for name in ["deb612-16k", "c612-64k52-on48"] {
      let entry = try DumpEntry.named(name)
      let samples = try entry.mmu().kernelSamples.filter { $0.physical != nil && !$0.hasTag }
      let chosen = stride(from: 0, to: samples.count, by: max(1, samples.count / 12)).map { samples[$0] }
      let arguments = chosen.compactMap { $0.physical.map { "0x" + String($0, radix: 16) } }
      let found = try Kva.run(["rmap", entry.elfDumps[0].path(), "--json"] + arguments).objects()
      for sample in chosen {
        #expect(
          found.contains { $0["virtual"] as? String == "0x" + String(sample.virtual, radix: 16) },
          "\(String(sample.virtual, radix: 16))")
      }
    }
  }

  @Test("--verify shows arithmetic beside the walk, and a difference")
  func verify() throws {
    try Scratch.withFolder { folder in
      var kernel = AuditedKernel()
      kernel.change(Kernel.linear + 0x25_0000) { $0 ^ 0x1000 }
      kernel.change(Kernel.linear + 0x26_0000) { _ in 0 }
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      let queries = [
        Kernel.linear + 0x24_0010, Kernel.text + 0x20, Kernel.linear + 0x25_0010, Kernel.linear + 0x26_0010,
        Kernel.vmalloc,
      ].map { "0x" + String($0, radix: 16) }
      let right = try Kva.run(["resolve", path, "--verify"] + queries.prefix(2))
      #expect(right.status == 0)
      #expect(right.lines.count { $0.contains("arithmetic agrees: ") } == 2)
      let result = try Kva.run(["resolve", path, "--verify", "--json"] + queries)
      #expect(result.status == 1)
      let answers = try result.objects().map { $0["arithmetic"] as? [String: Any] }
      #expect(answers.map { $0?["agrees"] as? Bool } == [true, true, false, false, nil])
      #expect(
        answers.map { $0?["physical"] as? String } == ["0x40240010", "0x40000020", "0x40250010", "0x40260010", nil])
      #expect(try Kva.run(["resolve", path, "--json"] + queries.prefix(1)).object()["arithmetic"] == nil)
      #expect(try Kva.run(["resolve", path, "--verify", queries[2]]).text.contains("arithmetic differs: 0x40250010"))
    }
  }

  @Test("Arithmetic agrees with the MMU on real dumps", arguments: DumpEntry.testData.flatMap(\.elfDumps))
  func verifyReal(_ dump: Dump) throws { try checkVerify(dump) }

  @Test(
    "Arithmetic agrees with the MMU on the corpus",
    .enabled(if: Checkout.corpus != nil, "no corpus here: set KVA_CORPUS"),
    arguments: DumpEntry.corpus.flatMap(\.elfDumps))
  func verifyRealOfCorpus(_ dump: Dump) throws { try checkVerify(dump) }

  private func checkVerify(_ dump: Dump) throws {
    let samples = try dump.entry.mmu().kernelSamples.filter { $0.physical != nil && !$0.hasTag }.prefix(600)
    let answers = try Kva.run(
      ["resolve", dump.path(), "--verify", "--json"],
      input: samples.map { "0x" + String($0.virtual, radix: 16) }.joined(separator: "\n")
    ).objects().compactMap { $0["arithmetic"] as? [String: Any] }
    #expect(answers.count > 100)
    #expect(answers.allSatisfy { $0["agrees"] as? Bool == true })
  }

  @Test("Frames, slots and the parts of the image stand beside the answer")
  func extras() throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try AuditedKernel().write(to: path)
      func answer(_ address: UInt64) throws -> [String: Any] {
        try Kva.run(["resolve", path, "--json", "0x" + String(address, radix: 16)]).object()
      }
      #expect(try answer(Kernel.linear + 0x12_3456)["frame"] as? Int == 0x40123)
      // The struct page of frame 0x40123 is the 0x123rd of 64 bytes.
      #expect(try answer(Kernel.vmemmap + 0x123 * 64 + 8)["frame"] as? Int == 0x40123)
      #expect(try answer(Kernel.vmalloc)["frame"] == nil)
      // FIXADDR_TOP is fffffbfffe000000; slot 1 is the page below.
      #expect(try answer(0xffff_fbff_fdff_f010)["slot"] as? Int == 1)
      #expect(try answer(0xffff_fbff_fdbf_a000)["slot"] as? Int == 0x406)
    }
    let entry = try DumpEntry.named("c612-64k52")
    let arguments = ["resolve", try entry.path("vmcore.elf"), "--json"]
    let names = ["_stext", "linux_banner", "__inittext_begin", "init_task", "__bss_start"]
    let found = try Kva.run(arguments + names + ["--vmlinux", entry.path("vmlinux")]).objects()
    #expect(found.map { $0["section"] as? String } == ["text", "rodata", "init", "data", "bss"])
    #expect(found.allSatisfy { $0["region"] as? String == "kernel image" })
    // Without a vmlinux the kernel's own symbols tell it.
    #expect(
      try Kva.run(arguments + names).objects().map { $0["section"] as? String }
        == ["text", "rodata", "init", "data", "bss"])
  }
}
