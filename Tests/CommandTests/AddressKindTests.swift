import Foundation
import TestSupport
import Testing

/// What `identify` says of addresses of every kind, against the kernel's own listings and what walks pass.
@Suite struct AddressKindTests {
  private static let rich = DumpEntry.all.filter { $0.has("oracle/rich/maps.txt") && $0.name.hasSuffix("rich") }

  private func identify(_ dump: String, _ queries: [String], _ options: [String] = []) throws -> [[String: Any]] {
    try Kva.run(["identify", dump, "--json"] + options + queries).objects()
  }

  private func tasks(_ dump: String) throws -> [String: Int] {
    Dictionary(
      try Kva.run(["tasks", dump, "--json"]).objects().compactMap { task in
        (task["comm"] as? String).flatMap { name in (task["pid"] as? Int).map { (name, $0) } }
      }, uniquingKeysWith: { first, _ in first })
  }

  private func areas(_ dump: String, _ pid: Int) throws -> [[String: Any]] {
    try Kva.run(["maps", dump, "\(pid)", "--json"]).objects()
  }

  @Test("Pages of a removed file and a memfd, and those in swap", .enabled(if: !rich.isEmpty), arguments: rich)
  func userPages(_ entry: DumpEntry) throws {
    let dump = try entry.path("vmcore.elf")
    let pids = try tasks(dump)
    let files = try #require(pids["act-files"])
    // What the process wrote there.
    for (name, text) in [("/tmp/act-deleted (deleted)", "deleted file"), ("/memfd:act-memfd (deleted)", "memfd page")] {
      let area = try #require(try areas(dump, files).first { $0["name"] as? String == name })
      let start = try #require(area["start"] as? String)
      let answer = try #require(try identify(dump, [start], ["--ttbr0", "\(files)"]).first)
      let vma = try #require(answer["vma"] as? [String: Any])
      #expect(vma["name"] as? String == name && vma["pid"] as? Int == files && vma["fileOffset"] as? String == "0x0")
      #expect(answer["kind"] as? String == "file mapping")
      let frame = try #require(vma["cachedFrame"] as? Int)
      let read = try Kva.run(["read", dump, "--physical", "--raw", hex(UInt64(frame) << 12), "\(text.utf8.count)"])
      #expect(read.text == text)
    }
    let swapped = try #require(pids["act-swapped"])
    let area = try #require(try areas(dump, swapped).first { $0["swapped"] as? Int ?? 0 > 0 })
    #expect(area["swapped"] as? Int == 64 << 10)
    let start = try #require(area["start"] as? String)
    let answer = try #require(try identify(dump, [start], ["--ttbr0", "\(swapped)"]).first)
    let swap = try #require(answer["swap"] as? [String: Any])
    let device = try #require(try entry.lines("oracle/rich/swaps.txt")[1].split(whereSeparator: \.isWhitespace).first)
    #expect(swap["type"] as? Int == 0)
    // Where the symbols name functions only, the area has no name.
    if let path = swap["path"] as? String { #expect(path == device) }
    #expect(entry.name == "deb61-4k48-rich" || swap["path"] is String)
    let hole = try Kva.run(["resolve", dump, "--ttbr0", "\(swapped)", "0x10000"])
    #expect(hole.text.contains("PID \(swapped) (act-swapped) has no VMA there"))
  }

  @Test("The page cache has the page that a process has mapped", .enabled(if: !rich.isEmpty), arguments: rich)
  func pageCache(_ entry: DumpEntry) throws {
    let dump = try entry.path("vmcore.elf")
    let pid = try #require(try tasks(dump)["act-files"])
    let text = try #require(try areas(dump, pid).first { $0["permissions"] as? String == "r-xp" })
    let first = try #require((text["start"] as? String).flatMap { UInt64($0.dropFirst(2), radix: 16) })
    let end = try #require((text["end"] as? String).flatMap { UInt64($0.dropFirst(2), radix: 16) })
    let pages = stride(from: first, to: end, by: 4096).map(hex)
    let answers = try identify(dump, pages, ["--ttbr0", "\(pid)"])
    var mapped = 0
    var cached = 0
    for answer in answers {
      let frame = (answer["vma"] as? [String: Any])?["cachedFrame"] as? Int
      if answer["status"] as? String == "mapped" {
        mapped += 1
        #expect(frame == (answer["frame"] as? [String: Any])?["number"] as? Int, "\(answer["query"] ?? "")")
      } else if frame != nil {
        cached += 1
      }
    }
    #expect(mapped > 20)
    // The first page of the program is its ELF header, whoever has it mapped.
    let frame = try #require((answers[0]["vma"] as? [String: Any])?["cachedFrame"] as? Int)
    #expect(try Kva.run(["read", dump, "--physical", "--raw", hex(UInt64(frame) << 12), "4"]).text == "\u{7f}ELF")
  }

  @Test("Any page of RAM is what /proc/kpageflags had it for", .enabled(if: !rich.isEmpty), arguments: rich)
  func ram(_ entry: DumpEntry) throws {
    let data = try entry.data("oracle/rich/kpageflags.bin")
    let words = data.withUnsafeBytes { bytes in
      (0..<data.count / 8).map { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)) }
    }
    let size = UInt64(try entry.facts().pageSize)
    let places = stride(from: 5, to: words.count, by: 37).map { $0 }
    let queries = places.map { "phys:0x" + String(0x4000_0000 + UInt64($0) * size + 0x123, radix: 16) }
    let answers = try Kva.run(
      ["identify", entry.path("vmcore.elf"), "--json"], input: queries.joined(separator: "\n")
    ).objects()
    try #require(answers.count == places.count)
    // The kernel's bits, and what may be said where one is set.
    let meanings: [(bit: UInt64, kinds: [String], use: String)] = [
      (10, ["free page"], "free"), (12, ["anonymous page", "page of zeros"], "anonymous"),
      (26, ["page table"], "page-table"),
    ]
    var met: [String: Int] = [:]
    var different = 0
    for (place, answer) in zip(places, answers) {
      let frame = answer["frame"] as? [String: Any]
      for meaning in meanings where words[place] >> meaning.bit & 1 == 1 {
        met[meaning.use, default: 0] += 1
        if frame?["use"] as? String != meaning.use || !meaning.kinds.contains(answer["kind"] as? String ?? "") {
          different += 1
        }
      }
    }
    for meaning in meanings { #expect(met[meaning.use] ?? 0 > 0, "\(meaning.use)") }
    // What changed between the listing and the stop.
    #expect(different * 20 < places.count, "\(different) of \(places.count)")
  }

  @Test("Tables that a walk passes are named", .enabled(if: !rich.isEmpty), arguments: rich)
  func tables(_ entry: DumpEntry) throws {
    let dump = try entry.path("vmcore.elf")
    let pid = try #require(try tasks(dump)["act-files"])
    for (options, address, owner) in [
      (["--ttbr0", "\(pid)"], "0x400000", pid), ([], "_stext", nil), ([], "init_task", nil),
    ] as [([String], String, Int?)] {
      let walked = try Kva.run(["resolve", dump, "--walk", "--json"] + options + [address]).object()
      let virtual = try #require((walked["virtual"] as? String).flatMap { UInt64($0.dropFirst(2), radix: 16) })
      for step in try #require(walked["walk"] as? [[String: Any]]) {
        let place = try #require(step["address"] as? String)
        let answer = try #require(try identify(dump, ["phys:\(place)"]).first)
        let table = try #require(answer["table"] as? [String: Any], "\(address) \(step) \(answer)")
        #expect(answer["kind"] as? String == "page table")
        #expect(table["level"] as? Int == step["level"] as? Int && table["index"] as? Int == step["index"] as? Int)
        #expect(table["pid"] as? Int == owner)
        let start = try #require((table["start"] as? String).flatMap { UInt64($0.dropFirst(2), radix: 16) })
        let end = try #require((table["end"] as? String).flatMap { UInt64($0.dropFirst(2), radix: 16) })
        #expect(virtual >= start && virtual <= end &- 1)
      }
    }
  }

  @Test("Each leaf of /proc/iomem owns its addresses", .enabled(if: !rich.isEmpty), arguments: rich)
  func resources(_ entry: DumpEntry) throws {
    let dump = try entry.path("vmcore.elf")
    var path: [String] = []
    var asked = 0
    var lines: [(path: [String], middle: UInt64)] = []
    for line in try entry.lines("oracle/iomem.txt") {
      let depth = line.prefix { $0 == " " }.count / 2
      let parts = line.trimmingCharacters(in: .whitespaces).split(separator: " ", maxSplits: 2)
      let bounds = parts[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
      guard bounds.count == 2, parts.count == 3 else { continue }
      path = Array(path.prefix(depth)) + [String(parts[2])]
      lines.append((path, bounds[1]))
    }
    let answers = try identify(dump, lines.map { "phys:\(hex($0.middle))" })
    for (line, answer) in zip(lines, answers) {
      let names = (answer["resources"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String }
      // A part of it may end there too.
      #expect(Array(names.prefix(line.path.count)) == line.path, "\(hex(line.middle))")
      asked += 1
    }
    #expect(asked > 15)
  }

  @Test("The image and the linear map name each other", .enabled(if: !rich.isEmpty), arguments: rich)
  func aliases(_ entry: DumpEntry) throws {
    let dump = try entry.path("vmcore.elf")
    let there = try #require(try identify(dump, ["_stext"]).first)
    let linear = try #require(there["linearAlias"] as? String)
    #expect(there["imageAlias"] == nil)
    let back = try #require(try identify(dump, [linear]).first)
    #expect(back["imageAlias"] as? String == there["virtual"] as? String && back["linearAlias"] == nil)
    #expect(back["physical"] as? String == there["physical"] as? String)
    let physical = try #require(there["physical"] as? String)
    for query in ["phys:\(physical)", "phys:\(physical.dropFirst(2))"] {
      let answer = try Kva.run(["resolve", dump, "--json", query]).object()
      #expect(answer["virtual"] as? String == linear && answer["physical"] as? String == physical)
    }
    let frame = try #require(UInt64(physical.dropFirst(2), radix: 16)) >> 12
    for query in ["pfn:\(frame)", "pfn:\(hex(frame))"] {
      #expect(try Kva.run(["resolve", dump, "--json", query]).object()["physical"] as? String == hex(frame << 12))
    }
    if !entry.name.hasPrefix("deb73") {
      #expect(try identify(dump, ["empty_zero_page"]).first?["kind"] as? String == "page of zeros")
    }
    if entry.name.hasPrefix("c") {
      #expect(try identify(dump, ["start_kernel"]).first?["kind"] as? String == "freed init memory")
      #expect(try identify(dump, ["swapper_pg_dir"]).first?["kind"] as? String == "page table")
      // The trampoline's text is the first page that the fixmap has of it.
      let fixed = try Kva.run(["ptdump", dump, "--region", "fixmap", "--json"]).objects()
      let text = try #require(try identify(dump, ["__entry_tramp_text_start"]).first?["physical"] as? String)
      let slot = try #require(fixed.first { $0["physical"] as? String == text }?["start"] as? String)
      #expect(try identify(dump, [slot]).first?["fixmapSlot"] as? String == "FIX_ENTRY_TRAMP_TEXT1")
    }
  }

  private static let kdump = DumpEntry.corpus.first { $0.name == "kdump-61-4k48" }

  @Test("The kernel that waits for a crash is in the memory that /proc/iomem has for it", .enabled(if: kdump != nil))
  func crashKernel() throws {
    let entry = try #require(Self.kdump)
    let line = try #require(try entry.lines("oracle/iomem.txt").first { $0.hasSuffix(": Crash kernel") })
    let bounds = line.split(whereSeparator: { " -".contains($0) }).prefix(2).compactMap { UInt64($0, radix: 16) }
    try #require(bounds.count == 2)
    let queries = stride(from: bounds[0], to: bounds[1], by: 0x1_0000).map { "phys:" + hex($0) }
    var names: Set<String> = []
    for answer in try identify(try entry.path("vmcore.d31-elf"), queries) {
      let resources = try #require(answer["resources"] as? [[String: Any]], "\(answer)")
      #expect(resources.contains { $0["name"] as? String == "Crash kernel" })
      guard let last = resources.last, let name = last["name"] as? String, name != "Crash kernel" else { continue }
      names.insert(name)
      let (start, end) = (
        try parseAddress(last["start"] as? String ?? ""), try parseAddress(last["end"] as? String ?? "")
      )
      #expect(start >= bounds[0] && end <= bounds[1] + 1 && start < end, "\(last)")
    }
    // kexec -p loads a kernel, an initrd, a device tree and the headers of /proc/vmcore.
    #expect(names.isSuperset(of: ["Crash kernel's kernel", "Crash kernel's device tree"]), "\(names)")
  }

  @Test("Values that are no addresses, in any dump")
  func values() throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try HandmadeKernel().core.write(to: path)
      for (query, kind, words) in [
        ("0xffffffffffffffda", "error pointer", "ERR_PTR(-38): ENOSYS"),
        ("0xffffffffffffff7b", "error pointer", "ERR_PTR(-133): EHWPOISON"),
        ("0xfffffffffffffdfb", "error pointer", "ERR_PTR(-517): EPROBE_DEFER"),
        ("0xffffffffffffffd7", "error pointer", "ERR_PTR(-41)"), ("0x10", "NULL + 0x10", nil), ("0x0", "NULL", nil),
        ("0x57ac6e9d", "poison", "STACK_END_MAGIC: the lowest word of a stack"),
        ("0xdead000000000108", "poison", "LIST_POISON1: the next pointer of an element taken off a list, plus 0x8"),
        ("0xdead000000012340", "poison", "ILLEGAL_POINTER_VALUE plus 0x12340: no pointer"),
      ] as [(String, String, String?)] {
        let answer = try #require(try identify(path, [query]).first)
        #expect(answer["kind"] as? String == kind && answer["poison"] as? String == words, "\(answer)")
      }
      for query in ["phys:xyz", "phys:11223344556677889", "pfn:abc", "pfn:0x1000000000000"] {
        #expect(try Kva.run(["resolve", path, query, "--json"]).object()["status"] as? String == "bad-query")
      }
      let device = try Kva.run(["resolve", path, "phys:0x9000000"])
      #expect(device.status == 1 && device.text.contains("unmapped: the linear map has nothing at 0x9000000"))
      // The image is mapped, where there is no linear map.
      #expect(
        try Kva.run(["resolve", path, "phys:40005010", "--json"]).object()["virtual"] as? String == "0xffff800008005010"
      )
    }
  }
}
