import Foundation
import TestSupport
import Testing

/// What memory holds, and where: in a kernel made by hand, and in a real one against a search by the test's own reader.
@Suite struct SearchTests {
  typealias Kernel = AuditedKernel

  private func search(_ kernel: Kernel, _ arguments: [String], input: String = "") throws -> ProcessResult {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      return try Kva.run(["search", path] + arguments, input: input)
    }
  }

  private func physical(_ result: ProcessResult) throws -> [String] {
    try result.objects().compactMap { $0["physical"] as? String }
  }

  /// Data of the image at 40020000, and a page of vmalloc at 40200000, which hold pointers to ffff800008020010 on.
  private static let pointers: Kernel = {
    var kernel = AuditedKernel()
    kernel.memory[0x4002_0100] = 0xffff_8000_0802_0010
    kernel.memory[0x4020_0018] = 0xffff_8000_0802_0010
    // With a tag, with an authentication code below it, one byte too far, and one that no CPU takes for a pointer.
    kernel.memory[0x4020_0020] = 0xf3ff_8000_0802_0017
    kernel.memory[0x4020_0028] = 0x7fbf_8000_0802_0011
    kernel.memory[0x4020_0030] = 0xffff_8000_0802_0018
    kernel.memory[0x4020_0038] = 0x0000_8000_0802_0010
    kernel.memory[0x4020_0040] = 0x1234_5678_9abc_def0
    return kernel
  }()

  @Test("A number is found at each multiple of its size, with the address that the image or the linear map has for it")
  func numbers() throws {
    let word = try search(Self.pointers, ["0xffff800008020010", "--json"]).objects()
    #expect(word.map { $0["physical"] as? String } == ["0x40020100", "0x40200018"])
    #expect(word.map { $0["address"] as? String } == ["0xffff800008020100", "0xffff000000200018"])
    #expect(word.map { $0["region"] as? String } == ["kernel image", "linear map"])
    #expect(word.allSatisfy { $0["bytes"] as? String == "1000020800 80ffff".replacing(" ", with: "") })
    #expect(try physical(search(Self.pointers, ["0x9abcdef0", "--size", "4", "--json"])) == ["0x40200040"])
    #expect(try physical(search(Self.pointers, ["0x5678", "--size", "2", "--json"])) == ["0x40200044"])
    #expect(
      try physical(
        search(Self.pointers, ["18", "--size", "1", "--json", "--range", "ffff800010000000-ffff800010001000"])) == [
          "0x40200047"
        ])
    // Across two words of its size there is no number.
    #expect(try search(Self.pointers, ["0x56789abc", "--size", "4"]).status == 1)
    let text = try search(Self.pointers, ["0xffff800008020010"])
    #expect(text.status == 0 && text.lines.count == 2)
    #expect(
      text.lines[0].split(separator: " ").map(String.init).prefix(3) == [
        "0xffff800008020100", "0x40020100", "kernel-image",
      ])
  }

  @Test("Pointers into a range are found through tags and authentication codes, and nothing beside it")
  func pointers() throws {
    let all = ["ffff800008020010-ffff800008020018", "--pointer", "--json"]
    let found = try physical(search(Self.pointers, all))
    #expect(found == ["0x40020100", "0x40200018", "0x40200020", "0x40200028"])
    let mapped = try search(Self.pointers, all + ["--region", "vmalloc"]).objects()
    #expect(
      mapped.map { $0["address"] as? String } == ["0xffff800010000018", "0xffff800010000020", "0xffff800010000028"])
    #expect(mapped.allSatisfy { $0["region"] as? String == "vmalloc" })
  }

  @Test("Bytes are found at any address, across pages that follow each other in the space that is searched")
  func sequences() throws {
    var kernel = AuditedKernel()
    // "kva-split": its end is on another frame that vmalloc has behind the first, and nowhere behind it physically.
    kernel.memory[0x4020_0ff8] = 0x2d61_766b_0000_0000
    kernel.memory[0x4025_0000] = 0x0000_0074_696c_7073
    kernel.writer.map(Kernel.vmalloc + 0x1000, to: 0x4025_0000, attributes: Kernel.data)
    // "kva-whole", over the end of a frame.
    kernel.memory[0x4026_0ff8] = 0x2d61_766b_0000_0000
    kernel.memory[0x4026_1000] = 0x0000_0065_6c6f_6877
    let split = try search(kernel, ["kva-split", "--string", "--region", "vmalloc", "--json"]).objects()
    #expect(split.map { $0["address"] as? String } == ["0xffff800010000ffc"])
    #expect(split.first?["physical"] as? String == "0x40200ffc")
    let nowhere = try search(kernel, ["kva-split", "--string"])
    #expect(nowhere.status == 1 && nowhere.text.isEmpty && nowhere.standardError.contains("nothing matches in 4M"))
    let whole = try search(kernel, ["6b 76 61 2d 77:68:6f:6c 65", "--bytes", "--json"]).objects()
    #expect(whole.map { $0["physical"] as? String } == ["0x40260ffc"])
    #expect(whole.first?["bytes"] as? String == "6b76612d77686f6c65")
  }

  @Test("The first matches are shown in order, and how many there are; what was not searched is said")
  func bounds() throws {
    var kernel = AuditedKernel()
    for word in 0..<512 as Range<UInt64> { kernel.memory[0x4027_0000 + 8 * word] = 0xfeed_feed_feed_feed }
    let some = try search(kernel, ["0xfeedfeedfeedfeed", "--limit", "3", "--json"])
    #expect(try physical(some) == ["0x40270000", "0x40270008", "0x40270010"] && some.status == 0)
    #expect(some.standardError.contains("512 matches, of which the first 3 are shown"))
    kernel.bytesFiltered = 0x20_0000
    let filtered = try search(kernel, ["0xfeedfeedfeedfeed"])
    #expect(filtered.status == 1 && filtered.standardError.contains("2M were filtered out of this dump"))
    let region = try search(kernel, ["0xfeedfeedfeedfeed", "--region", "linear-map"])
    #expect(region.status == 1 && region.standardError.contains("2M of what is mapped is not in this dump"))
  }

  @Test("Mistakes are told apart")
  func mistakes() throws {
    for (arguments, status, words) in [
      (["0x100", "--size", "1"], Int32(64), "does not fit into 1 byte"), (["1", "--string", "--bytes"], 64, "exclude"),
      (["abc", "--bytes"], 64, "two digits for each"), (["0x1", "--limit", "0"], 64, "--limit is 1"),
      (["0x1", "--string", "--size", "4"], 64, "that of a number"), ([""], 64, "VALUE is empty"),
      (["no_such_symbol"], 1, "no_such_symbol"), (["no_such_symbol", "--pointer"], 1, "no_such_symbol"),
      (["0x1", "--region", "user"], 1, "--ttbr0"), (["0x1", "--region", "bpf-jit"], 1, "no region 'bpf jit'"),
    ] {
      let result = try search(AuditedKernel(), arguments)
      #expect(result.status == status, "\(arguments): \(result.standardError)")
      #expect(result.standardError.contains(words), "\(arguments): \(result.standardError)")
    }
  }

  @Test("Pointers to init_task in a real image are those that a plain reader finds")
  func real() throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let symbols = try entry.kallsyms()
    let (text, end) = try (#require(symbols["_stext"]), #require(symbols["_end"]))
    let task = try #require(symbols["init_task"])
    // facts.json: kimage_voffset.
    let offset: UInt64 = 0xffff_7fff_c7e0_0000
    let path = try entry.path("vmcore.elf")
    let bytes = try #require(try CoreReader(path: path).bytes(text &- offset, Int(end - text)))
    var wanted: [String] = []
    bytes.withUnsafeBytes { bytes in
      for place in stride(from: 0, to: bytes.count - 7, by: 8) {
        let word = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
        if (task..<(task + 0x800)).contains(word) { wanted.append(hex(text + UInt64(place))) }
      }
    }
    #expect(wanted.count > 5)
    let range = "\(hex(task))-\(hex(task + 0x800))"
    let found = try Kva.run(
      ["search", path, range, "--pointer", "--range", "\(hex(text))-\(hex(end))", "--json"]
    ).objects()
    #expect(found.map { $0["address"] as? String } == wanted)
    // init_task points at itself: its real_parent and its list of children.
    #expect(found.contains { $0["symbol"] as? String == "init_task" })
    let named = try Kva.run(["search", path, "init_task", "--pointer", "--region", "kernel-image", "--json"]).objects()
    #expect(named.count >= found.count && named.contains { $0["address"] as? String == wanted[0] })
  }
}
