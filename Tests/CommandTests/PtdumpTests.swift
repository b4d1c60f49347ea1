import Foundation
import TestSupport
import Testing

/// `kva ptdump` and `kva regions` against the kernel's own listing of its tables.
@Suite struct PtdumpTests {
  /// The dumps beside which the kernel's listing is.
  static func listed(_ entries: [DumpEntry]) -> [Dump] {
    entries.flatMap(\.elfDumps).filter { (try? $0.entry.path("oracle/kernel_page_tables.txt")) != nil }
  }

  /// Lines in which a listing may differ that the machine took a moment before it stopped.
  static func drift(_ dump: Dump, _ lines: Int) -> Int {
    ["c61-4k48-nokaslr", "c612-64k52", "c511-4k48"].contains(dump.entry.name) ? 0 : 4 + lines / 33
  }

  @Test("--format kernel is the kernel's text, line by line", arguments: listed(DumpEntry.testData))
  func kernelText(_ dump: Dump) throws { try checkText(dump) }

  @Test(
    "--format kernel is the kernel's text, on the corpus",
    .enabled(if: Checkout.corpus != nil, "no corpus here: set KVA_CORPUS"),
    arguments: listed(DumpEntry.corpus))
  func kernelTextOfCorpus(_ dump: Dump) throws { try checkText(dump) }

  private func checkText(_ dump: Dump) throws {
    try compareText(dump)
  }

  private func compareText(_ dump: Dump) throws {
    let listing = try KernelListing(dump.entry)
    let expected = listing.settled(listing.lines)
    let result = try Kva.run(["ptdump", dump.path(), "--format", "kernel"])
    #expect(result.status == 0)
    let difference = listing.settled(result.lines).difference(from: expected)
    #expect(
      difference.insertions.count <= Self.drift(dump, expected.count),
      "\(difference.insertions.prefix(4)), instead of \(difference.removals.prefix(4))")
    #expect(expected.count > 100)
  }

  @Test("The merged ranges and their bits are the kernel's", arguments: listed(DumpEntry.testData))
  func ranges(_ dump: Dump) throws { try checkRanges(dump) }

  @Test(
    "The merged ranges and their bits are the kernel's, on the corpus",
    .enabled(if: Checkout.corpus != nil, "no corpus here: set KVA_CORPUS"),
    arguments: listed(DumpEntry.corpus))
  func rangesOfCorpus(_ dump: Dump) throws { try checkRanges(dump) }

  private func checkRanges(_ dump: Dump) throws {
    try compareRanges(dump)
  }

  private func compareRanges(_ dump: Dump) throws {
    let listing = try KernelListing(dump.entry)
    let names = [
      "linear mapping": "linear map", "kasan shadow": "kasan shadow", "bpf": "bpf jit", "modules": "modules",
      "vmalloc() area": "vmalloc", "vmemmap": "vmemmap", "pci i/o": "pci io", "fixmap": "fixmap",
    ]
    // 5.7 to 5.16 leave out the first marker.
    var region: String? = "linear map"
    var wanted: [String] = []
    for line in listing.settled(listing.lines) {
      if line.hasPrefix("---[") {
        let name = line.dropFirst(5).dropLast(5).lowercased()
        region = name.hasSuffix(" end") ? nil : names[name.replacingOccurrences(of: " start", with: "")]
        continue
      }
      let words = line.split(whereSeparator: { $0 == " " || $0 == "-" }).map(String.init)
      guard words.count > 4, words[4] != "F" else { continue }
      let flags = Set(words[4...])
      let bits = [
        flags.contains("RW"), flags.contains("x"), !flags.contains("UXN"), flags.contains("USR"),
        flags.contains("AF"), !flags.contains("NG"), flags.contains("CON"), flags.contains("BLK"),
      ]
      wanted.append("\(words[0])-\(words[1]) \(bits) \(region ?? "?")")
    }
    let result = try Kva.run(["ptdump", dump.path(), "--json"])
    #expect(result.status == 0)
    let got = try result.objects().compactMap { range -> String? in
      let start = try parseAddress(try #require(range["start"] as? String))
      let end = try parseAddress(try #require(range["end"] as? String))
      #expect(range["size"] as? UInt64 == end &- start)
      if listing.isUnsettled(start, end) { return nil }
      let attributes = try #require(range["attributes"] as? [String: Any])
      func flag(_ name: String) -> Bool { attributes[name] as? Bool ?? false }
      let bits = [
        flag("writable"), flag("executableEL1"), flag("executableEL0"), flag("user"), flag("accessed"), flag("global"),
        flag("contiguous"), range["kind"] as? String == "block",
      ]
      // With KASLR image and modules lie in the vmalloc area, whose marker is the only one there.
      let name = range["region"] as? String ?? ""
      let isInVmalloc = ["kernel image", "modules"].contains(name) && !wanted.isEmpty
      func text(_ name: String) -> String { "\(pad(start))-\(pad(end)) \(bits) \(name)" }
      return isInVmalloc && wanted.contains(text("vmalloc")) ? text("vmalloc") : text(name)
    }
    let difference = got.difference(from: wanted)
    // Memory types are not in these lines: a range may be split by them.
    #expect(
      difference.insertions.count <= Self.drift(dump, wanted.count)
        && difference.removals.count <= Self.drift(dump, wanted.count),
      "\(difference.insertions.prefix(4)), instead of \(difference.removals.prefix(4))")
    #expect(wanted.count > 60)
  }

  private func pad(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: 16 - digits.count) + digits
  }

  @Test("The regions of a dump have the bounds of the kernel's markers, and what is mapped adds up")
  func regions() throws {
    let dump = try DumpEntry.named("c61-4k48-nokaslr").dump("vmcore.elf")
    let rows = try Kva.run(["regions", dump.path(), "--json"]).objects()
    func row(_ name: String) -> [String: Any]? { rows.first { $0["name"] as? String == name } }
    // From the listing's markers, and facts 2.3, row 5.17 to 6.4 of 4K/48.
    let bounds = [
      ("linear map", "0xffff000000000000", "0xffff800000000000"),
      ("modules", "0xffff800000000000", "0xffff800008000000"),
      ("vmalloc", "0xffff800008000000", "0xfffffbfff0000000"), ("pci io", "0xfffffbfffe800000", "0xfffffbffff800000"),
      ("vmemmap", "0xfffffc0000000000", "0xfffffe0000000000"), ("user", "0x0", "0x1000000000000"),
    ]
    for (name, start, end) in bounds {
      #expect(row(name)?["start"] as? String == start)
      #expect(row(name)?["end"] as? String == end)
      #expect((row(name)?["source"] as? String)?.isEmpty == false)
    }
    #expect(row("user")?["mapped"] is NSNull)
    var mapped: [String: UInt64] = [:]
    for range in try Kva.run(["ptdump", dump.path(), "--json"]).objects() {
      mapped[range["region"] as? String ?? "", default: 0] += range["size"] as? UInt64 ?? 0
    }
    for row in rows where row["name"] as? String != "user" {
      let name = try #require(row["name"] as? String)
      #expect(row["mapped"] as? UInt64 == mapped[name, default: 0], "\(name)")
    }
    // 128 MiB of RAM, all in the linear map.
    #expect(mapped["linear map"] == 128 << 20)
    #expect(rows.last?["end"] as? String == "0x0")
  }

  @Test("A range or a region is that part of the whole; a user table has no regions")
  func parts() throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try AuditedKernel().write(to: path)
      func lines(_ arguments: [String]) throws -> [String] { try Kva.run(["ptdump", path] + arguments).lines }
      let all = try lines([])
      // The linear map's two kinds; text, read-only data, data, the root table; vmalloc's page, the device, the
      // contiguous ones; vmemmap.
      #expect(all.count == 10)
      #expect(try lines(["--range", "0xffff000000000000-0xffff800000000000"]) == Array(all.prefix(2)))
      #expect(try lines(["--region", "kernel image"]) == Array(all[2..<6]))
      #expect(try lines(["--region", "vmemmap"]) == Array(all.suffix(1)))
      #expect(try lines(["--range", "ffff800010000000-ffff800010001000"]).count == 1)
      #expect(try lines(["--range", "0xfffffc0000000000-0"]) == Array(all.suffix(1)))
      #expect(try Kva.run(["ptdump", path, "--region", "bpf jit"]).status == 1)
      #expect(try Kva.run(["ptdump", path, "--range", "5-5"]).status == 64)
      #expect(try Kva.run(["ptdump", path, "--format", "kernel", "--json"]).status == 64)
      // The kernel's own tables read as those of user space.
      let user = try Kva.run(["ptdump", path, "--ttbr0", "0x40100000", "--json"]).objects()
      #expect(user.count == 10)
      #expect(user.first?["start"] as? String == "0x0")
      #expect(user.allSatisfy { $0["region"] as? String == "user" })
    }
  }

  @Test("The physical address is the first; whether the others follow is said")
  func consecutive() throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      var kernel = AuditedKernel()
      kernel.change(AuditedKernel.linear + 0x30_0000) { $0 ^ 0x1000 }
      try kernel.write(to: path)
      let ranges = try Kva.run(["ptdump", path, "--json", "--region", "linear map"]).objects()
      #expect(ranges.map { $0["physical"] as? String } == ["0x40000000", "0x40020000"])
      #expect(ranges.map { $0["consecutive"] as? Bool } == [true, false])
    }
  }

  @Test("A range ends where its region does, though its bits go on")
  func splitAtRegions() throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      var kernel = AuditedKernel()
      kernel.writer.map(AuditedKernel.text - 0x1000, to: 0x4020_0000, attributes: AuditedKernel.executable)
      try kernel.write(to: path)
      let ranges = try Kva.run(["ptdump", path, "--json", "--range", "0xffff800000000000-0xffff800008010000"]).objects()
      #expect(ranges.map { $0["region"] as? String } == ["modules", "kernel image"])
      #expect(ranges.map { $0["end"] as? String } == ["0xffff800008000000", "0xffff800008010000"])
    }
  }

  @Test("What kernels before 5.7 print: no lines of holes, the linear map last, their own words")
  func oldText() throws {
    try Scratch.withFolder { folder in
      var writer = TableWriter(.k4, .bits48, vaBits: 48, root: 0x4010_0000, firstTable: 0x4011_0000)
      let text: UInt64 = 0xffff_0000_0808_0000
      // AttrIndx 4 is normal memory before 5.10, 1 Device-nGnRE.
      for page in 0..<4 {
        writer.map(text + UInt64(page) << 12, to: 0x4008_0000 + UInt64(page) << 12, attributes: 0x40_0000_0000_0790)
      }
      writer.map(0xffff_7dff_fee0_0000, to: 0x3eff_0000, attributes: 0x60_0000_0000_0704)
      for block in 0..<2 {
        writer.map(
          0xffff_8000_0000_0000 + UInt64(block) << 21, to: 0x4000_0000 + UInt64(block) << 21, level: 2,
          attributes: 0x60_0000_0000_0710)
      }
      let lines = [
        "OSRELEASE=4.19.0", "PAGESIZE=4096", "SYMBOL(swapper_pg_dir)=ffff000008100000",
        "SYMBOL(_stext)=ffff000008081000", "NUMBER(VA_BITS)=48", "NUMBER(kimage_voffset)=0xfffeffffc8000000",
        "NUMBER(PHYS_OFFSET)=0x40000000", "KERNELOFFSET=0",
      ]
      let path = folder.appendingPathComponent("vmcore").path
      let segments = writer.pages.map { CoreWriter.Segment($0.address, $0.bytes) }
      try CoreWriter(notes: CoreWriter.vmcoreinfo(lines.joined(separator: "\n") + "\n"), segments).write(to: path)
      let result = try Kva.run(["ptdump", path, "--format", "kernel"])
      #expect(
        result.lines == [
          "---[ Modules start ]---", "---[ Modules end ]---", "---[ vmalloc() Area ]---",
          "0xffff000008080000-0xffff000008084000          16K PTE       ro x  SHD AF            UXN MEM/NORMAL",
          "---[ vmalloc() End ]---", "---[ Fixmap start ]---", "---[ Fixmap end ]---", "---[ PCI I/O start ]---",
          "0xffff7dfffee00000-0xffff7dfffee01000           4K PTE       RW NX SHD AF            UXN DEVICE/nGnRE",
          "---[ PCI I/O end ]---", "---[ vmemmap start ]---", "---[ vmemmap end ]---", "---[ Linear Mapping ]---",
          "0xffff800000000000-0xffff800000400000           4M PMD       RW NX SHD AF        BLK UXN MEM/NORMAL",
        ])
    }
  }

  @Test("Tables that multiply end soon, and kva says that it gave up")
  func multiplied() throws {
    try Scratch.withFolder { folder in
      var kernel = AuditedKernel()
      // The level 1 table of vmemmap leads to itself in all entries but one.
      let table = (kernel.writer.words[0x4010_0000 + 8 * 0x1f8] ?? 0) & 0xffff_ffff_f000
      for index in 0..<UInt64(512) { kernel.writer.words[table + index * 8] = table | 3 | (index == 7 ? 1 << 60 : 0) }
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      for command in [["ptdump"], ["ptdump", "--format", "kernel"], ["regions"], ["rmap"]] {
        let more = command[0] == "rmap" ? ["0x40000000"] : Array(command.dropFirst())
        let result = try Kva.run([command[0], path] + more, limit: 30)
        #expect(result.status == 1)
        #expect(result.standardError.contains("gave up after"), "\(command)")
      }
      let audit = try Kva.run(["audit", path, "--json"], limit: 30)
      #expect(audit.status == 1)
      #expect(audit.text.contains("\"table-at-two-levels\""))
    }
  }
}
