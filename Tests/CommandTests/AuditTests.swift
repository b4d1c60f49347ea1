import Foundation
import TestSupport
import Testing

/// Each finding on tables that were spoilt for it, and none on sound ones.
@Suite struct AuditTests {
  typealias Kernel = AuditedKernel

  struct Case: Sendable, CustomStringConvertible {
    let description: String
    /// The codes that must be found, each once.
    let codes: [String]
    /// The first address of the first finding.
    let start: UInt64
    let severity: String
    let spoil: @Sendable (inout AuditedKernel) -> Void

    init(
      _ description: String, _ codes: [String], _ start: UInt64, _ severity: String = "high",
      _ spoil: @escaping @Sendable (inout AuditedKernel) -> Void
    ) {
      self.description = description
      self.codes = codes
      self.start = start
      self.severity = severity
      self.spoil = spoil
    }
  }

  static let unused: UInt64 = Kernel.vmalloc + 0x4000
  /// A place below the table of level 2 of vmalloc whose entry of level 2 is empty.
  static let empty: UInt64 = Kernel.vmalloc + 0x0800_0000

  static let cases: [Case] = [
    Case("a page of vmalloc without PXN", ["writable-executable"], Kernel.vmalloc) {
      $0.change(Kernel.vmalloc) { $0 & ~(1 << 53) }
    },
    Case("writable by DBM alone and executable", ["writable-executable"], unused) {
      $0.writer.map(unused, to: 0x4020_0000, attributes: Kernel.executable | 1 << 51)
    },
    Case("a page without UXN", ["user-executable"], Kernel.vmalloc) {
      $0.change(Kernel.vmalloc) { $0 & ~(1 << 54) }
    },
    Case("a page with AP[1]", ["user-accessible"], Kernel.vmalloc) { $0.change(Kernel.vmalloc) { $0 | 1 << 6 } },
    Case("text mapped writable in vmalloc", ["text-writable"], unused) {
      $0.writer.map(unused, to: 0x4000_3000, attributes: Kernel.data)
    },
    Case("read-only data writable in the linear map", ["text-writable"], Kernel.linear + 0x1_1000) {
      $0.change(Kernel.linear + 0x1_1000) { $0 & ~(1 << 7) }
    },
    Case("read-only data writable in the image", ["text-writable"], Kernel.text + 0x1_1000) {
      $0.change(Kernel.text + 0x1_1000) { $0 & ~(1 << 7) }
    },
    Case("RAM mapped as a device", ["memory-type-conflict"], Kernel.linear + 0x20_0000, "medium") {
      $0.change(Kernel.vmalloc) { $0 | Kernel.deviceType }
    },
    Case("level 3 with 01", ["reserved-encoding"], Kernel.vmalloc) { $0.change(Kernel.vmalloc) { $0 & ~2 } },
    Case("level 0 with 01", ["reserved-encoding"], 0xffff_4000_0000_0000) {
      $0.writer.words[0x4010_0000 + 8 * (0x80)] = 0x4000_0701
    },
    Case("a page beyond 44 bits", ["address-out-of-range"], unused) {
      $0.writer.map(unused, to: 0x8000_0000_0000, attributes: Kernel.data)
    },
    Case("memory where there is no RAM", ["outside-ram"], unused, "medium") {
      $0.writer.map(unused, to: 0x9_0000_0000, attributes: Kernel.data)
    },
    Case("a table where there is no RAM", ["table-outside-ram"], empty) {
      $0.change(empty, level: 2) { _ in 0x9_0000_0003 }
    },
    Case("a table on a free page", ["table-free"], Kernel.vmemmap & ~0x1f_ffff) { kernel in
      kernel.free(Self.tableOfVmemmap(kernel))
    },
    Case("a table in a free block", ["table-free"], empty) { kernel in
      kernel.change(empty, level: 2) { _ in 0x4028_5003 }
      kernel.free(0x4028_4000, order: 2)
    },
    Case("a table that was filtered out", ["table-free"], empty) { kernel in
      kernel.change(empty, level: 2) { _ in 0x403f_f003 }
      kernel.bytesFiltered = 0x1000
    },
    Case("a table beyond the end of the file", ["table-unreadable"], empty, "low") { kernel in
      kernel.change(empty, level: 2) { _ in 0x403f_f003 }
      kernel.bytesCutOff = 0x1000
    },
    Case("a loop", ["table-at-two-levels"], empty & ~0x3fff_ffff | 0x0800_0000 | 0x1000_0000) { kernel in
      let table = kernel.table(empty, level: 2)
      kernel.change(empty, level: 2) { _ in table | 3 }
    },
    Case("one table at two places", ["table-shared"], empty, "medium") { kernel in
      let table = kernel.table(Kernel.vmalloc, level: 3)
      kernel.change(empty, level: 2) { _ in table | 3 }
    },
    Case("one of a group is not contiguous", ["contiguous-broken"], Kernel.contiguous, "medium") {
      $0.change(Kernel.contiguous + 0x3000) { $0 & ~(1 << 52) }
    },
    Case("one of a group is not mapped", ["contiguous-broken"], Kernel.contiguous, "medium") {
      $0.change(Kernel.contiguous + 0x3000) { _ in 0 }
    },
    Case("one of a group leads elsewhere", ["contiguous-broken"], Kernel.contiguous, "medium") {
      $0.change(Kernel.contiguous + 0x3000) { $0 ^ 0x1000 }
    },
    Case("a group that is not aligned", ["contiguous-broken"], Kernel.contiguous, "medium") { kernel in
      for page in 0..<UInt64(16) { kernel.change(Kernel.contiguous + page << 12) { $0 + 0x1000 } }
    },
    Case("one of a group differs", ["contiguous-broken"], Kernel.contiguous, "medium") {
      $0.change(Kernel.contiguous + 0xf000) { $0 | 1 << 7 }
    },
    Case("a page of the linear map leads elsewhere", ["linear-map-differs"], Kernel.linear + 0x25_0000) {
      $0.change(Kernel.linear + 0x25_0000) { $0 ^ 0x1000 }
    },
    Case("a page of the image leads elsewhere", ["image-differs"], Kernel.text + 0x2_5000) {
      $0.change(Kernel.text + 0x2_5000) { $0 ^ 0x20_0000 }
    },
    Case("two pages, one after the other", ["writable-executable"], Kernel.contiguous) { kernel in
      for page in 0..<16 { kernel.change(Kernel.contiguous + UInt64(page) << 12) { $0 & ~(1 << 53) } }
    },
  ]

  static func tableOfVmemmap(_ kernel: AuditedKernel) -> UInt64 { kernel.table(Kernel.vmemmap, level: 3) }

  @Test("Each finding, once, with the entries that prove it", arguments: cases)
  func found(_ one: Case) throws {
    try Scratch.withFolder { folder in
      var kernel = AuditedKernel()
      one.spoil(&kernel)
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      let result = try Kva.run(["audit", path, "--json"], limit: 60)
      #expect(result.status == 1)
      let findings = try result.objects()
      #expect(findings.compactMap { $0["code"] as? String } == one.codes)
      let first = try #require(findings.first)
      #expect(first["severity"] as? String == one.severity)
      #expect(first["start"] as? String == "0x" + String(one.start, radix: 16))
      let descriptors = try #require(first["descriptors"] as? [[String: Any]])
      #expect(!descriptors.isEmpty)
      for entry in descriptors {
        let address = try parseAddress(try #require(entry["address"] as? String))
        let value = try parseAddress(try #require(entry["descriptor"] as? String))
        #expect(kernel.writer.words[address] ?? 0 == value)
      }
      let text = try Kva.run(["audit", path])
      #expect(text.status == 1)
      #expect(text.text.contains("\(one.severity): \(one.codes[0]): 0x\(String(one.start, radix: 16))-"))
    }
  }

  @Test("A sound kernel has none, and JSON says nothing then")
  func sound() throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try AuditedKernel().write(to: path)
      let result = try Kva.run(["audit", path, "--json"])
      #expect(result.status == 0)
      #expect(result.text == "")
      #expect(result.standardError == "")
      let text = try Kva.run(["audit", path])
      #expect(text.status == 0)
      #expect(text.lines.first?.hasPrefix("no findings in ") == true)
      #expect(text.lines.contains { $0.hasPrefix("known: linear-read-only: 128K at 0xffff000000000000 ") })
      #expect(!text.text.contains("not checked"))
    }
  }

  @Test("What healthy kernels do that looks odd is known by name")
  func oddities() throws {
    try Scratch.withFolder { folder in
      var kernel = AuditedKernel()
      // A device's buffer without caches, memory of a crash kernel, a page set aside, freed init code.
      kernel.writer.map(Self.unused, to: 0x4022_0000, attributes: Kernel.data | 2 << 2)
      kernel.change(Kernel.linear + 0x23_0000) { $0 & ~1 }
      kernel.change(Kernel.linear + 0x24_0000) { _ in 0 }
      kernel.change(Kernel.text + 0x2_8000) { _ in 0 }
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      let result = try Kva.run(["audit", path])
      #expect(result.status == 0)
      for line in [
        "uncached-buffer: 4K at 0xffff000000220000", "linear-invalid: 4K at 0xffff000000230000",
        "linear-unmapped: 4K at 0xffff000000240000",
        // The page, and the 832K between the data and the root table.
        "image-unmapped: 836K in 2 places from 0xffff800008028000",
      ] {
        #expect(result.text.contains("known: \(line) "), "\(line) in \(result.text)")
      }
    }
  }

  @Test(
    "A linear alias of the kernel's data is read-only in 7.2 and invalid in 7.3, by design", arguments: [true, false])
  func dataAlias(_ isReadOnly: Bool) throws {
    try Scratch.withFolder { folder in
      var kernel = AuditedKernel()
      // Data behind the root table, as the image has them.
      for page in UInt64(0x140)..<0x150 {
        kernel.writer.map(Kernel.text + page << 12, to: Kernel.ram + page << 12, attributes: Kernel.data)
        kernel.change(Kernel.linear + page << 12) { isReadOnly ? $0 | 1 << 7 : $0 & ~1 }
      }
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      let result = try Kva.run(["audit", path])
      #expect(result.status == 0)
      let code = isReadOnly ? "data-alias-read-only" : "data-alias-unmapped"
      let words = "linear alias of kernel data: \(isReadOnly ? "read-only in" : "unmapped by") this kernel"
      #expect(result.text.contains("known: \(code): 64K at 0xffff000000140000 \(words)"), "\(result.text)")
      #expect(!result.text.contains("crash kernel"))
      for command in ["resolve", "identify"] {
        let answer = try Kva.run([command, path, "0xffff000000145678", "--json"]).object()
        #expect(answer["status"] as? String == (isReadOnly ? "mapped" : "unmapped"))
        #expect(answer["doubt"] == nil)
        #expect((answer["message"] as? String)?.contains(words) ?? isReadOnly)
      }
      // What is unmapped by design is no difference from arithmetic.
      let verified = try Kva.run(["resolve", path, "--verify", "0xffff000000145678"])
      #expect(!verified.text.contains("differs"), "\(verified.text)")
      #expect(verified.text.contains("arithmetic agrees") == isReadOnly)
      // Read-only data may not be written for all that.
      kernel.change(Kernel.text + 0x1_1000) { $0 & ~(1 << 7) }
      try kernel.write(to: path)
      let findings = try Kva.run(["audit", path, "--json"]).objects().compactMap { $0["code"] as? String }
      #expect(findings == ["text-writable"])
    }
  }

  @Test("The one table that KASAN's shadow is made of where nothing is shadowed is known, and read a few times")
  func kasan() throws {
    try Scratch.withFolder { folder in
      var kernel = AuditedKernel()
      // Generic KASAN: the shadow takes the last 32 TiB below ffff800000000000. Its tables, and the page of
      // zeros, are one of each level: kasan_early_shadow_pud, _pmd, _pte.
      let shadow: UInt64 = 0xffff_6000_0000_0000
      let tables: [UInt64] = [0x4038_0000, 0x4038_1000, 0x4038_2000]
      kernel.writer.map(
        shadow, to: 0x4038_3000, attributes: AuditedKernel.readOnly, places: [1: tables[0], 2: tables[1], 3: tables[2]])
      for table in tables {
        let entry = kernel.writer.words[table] ?? 0
        for index in 0..<UInt64(512) { kernel.writer.words[table + index * 8] = entry }
      }
      for index in UInt64(0xc0)..<0x100 { kernel.writer.words[0x4010_0000 + index * 8] = tables[0] | 3 }
      // Bytes of mm/kasan/kasan.h, the lowest first.
      kernel.memory[0x4038_3000] = 0xf9ff_fefc_fbfa_0300
      kernel.memory[0x4038_3008] = 0x55cb_caf4_f3f2_f1f8
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      let bytes = (0..<16).map { "0x" + String(shadow + UInt64($0), radix: 16) }
      #expect(
        try Kva.run(["identify", path, "--json"] + bytes).objects().compactMap { $0["shadow"] as? String } == [
          "0x00: accessible", "0x03: its first 3 bytes are accessible",
          "0xfa: freed slab object, with a record of who freed it", "0xfb: freed slab object",
          "0xfc: red zone of a slab object", "0xfe: red zone of a large kmalloc", "0xff: free page",
          "0xf9: red zone of a global variable", "0xf8: vmalloc space that is not in use",
          "0xf1: left red zone of a stack frame", "0xf2: red zone between variables of a stack frame",
          "0xf3: right red zone of a stack frame", "0xf4: end of a variable of a stack frame",
          "0xca: left red zone of alloca", "0xcb: right red zone of alloca", "0x55: unknown",
        ])
      let result = try Kva.run(["audit", path], limit: 30)
      #expect(result.status == 0)
      #expect(result.text.contains("known: kasan-shared-tables: "), "\(result.text)")
      let regions = try Kva.run(["regions", path, "--json"], limit: 30).objects()
      let row = regions.first { $0["name"] as? String == "kasan shadow" }
      #expect(row?["start"] as? String == "0xffff600000000000")
      #expect(row?["mapped"] as? UInt64 == 32 << 40)
      let ranges = try Kva.run(["ptdump", path, "--json", "--region", "kasan shadow"], limit: 30).objects()
      #expect(ranges.count == 1)
      #expect(ranges.first?["end"] as? String == "0xffff800000000000")
      #expect(ranges.first?["consecutive"] as? Bool == false)
      let listing = try Kva.run(["ptdump", path, "--format", "kernel"], limit: 30).lines
      let line = try #require(listing.firstIndex(of: "---[ Kasan shadow start ]---"))
      #expect(listing[line + 1].hasPrefix("0xffff600000000000-0xffff800000000000          32T PTE       ro NX SHD AF "))
      // KASAN_SHADOW_OFFSET is 0xdfff800000000000 for 48 bits (arch/arm64/Kconfig); 8 bytes have one of shadow.
      let null = try Kva.run(["identify", path, "--json", "0xdfff800000000004"]).object()
      #expect(null["status"] as? String == "not-canonical")
      #expect(null["tag"] == nil)
      let words = "KASAN's shadow of 0x20 to 0x27: a NULL dereference (KASAN_SHADOW_OFFSET 0xdfff800000000000)"
      #expect(null["message"] as? String == words)
      #expect((null["shadowed"] as? [String: String]) == ["start": "0x20", "end": "0x28"])
      let text = try Kva.run(["identify", path, "--json", "0xffff700001000000"]).object()
      #expect((text["shadowed"] as? [String: String])?["start"] == "0xffff800008000000")
      let tagged = try Kva.run(["resolve", path, "--json", "0xf3ff800008000000"]).object()
      #expect(tagged["status"] as? String == "not-canonical")
      let mapped = try Kva.run(["rmap", path, "0x40383000", "--json"], limit: 30).objects()
      #expect(mapped.first?["virtual"] as? String == "0xffff000000383000")
      #expect(mapped.count == 1 + 64)
      #expect(mapped[1]["through"] as? String == "0xffff607fffffffff")
    }
  }

  @Test("The dumps of healthy kernels have no findings", arguments: DumpEntry.testData.flatMap(\.elfDumps))
  func healthy(_ dump: Dump) throws { try checkHealthy(dump) }

  @Test(
    "The dumps of the corpus have no findings",
    .enabled(if: Checkout.corpus != nil, "no corpus here: set KVA_CORPUS"),
    arguments: DumpEntry.corpus.flatMap(\.elfDumps))
  func healthyOfCorpus(_ dump: Dump) throws { try checkHealthy(dump) }

  private func checkHealthy(_ dump: Dump) throws {
    let result = try Kva.run(["audit", dump.path(), "--json"])
    switch dump.entry.name {
    case "deb73-rt-4k52-n1":
      // Booted with rodata=off: the kernel's text and the trampoline's really may be written, and nothing else.
      #expect(result.status == 1)
      let findings = try result.objects().map { "\($0["code"] ?? "") \($0["region"] ?? "")" }
      #expect(
        findings.sorted() == [
          "text-writable fixmap", "text-writable kernel image", "writable-executable fixmap",
          "writable-executable kernel image",
        ])
    default:
      #expect(result.status == 0)
      #expect(result.text == "")
    }
  }
}

extension AuditedKernel {
  /// The table of `level` on the way to `virtual`.
  fileprivate func table(_ virtual: UInt64, level: Int) -> UInt64 {
    var table = writer.root
    for upper in 0..<level {
      table = (writer.words[table + 8 * (virtual >> UInt64(39 - 9 * upper) & 511)] ?? 0) & 0xffff_ffff_f000
    }
    return table
  }
}
