import Foundation
import TestSupport
import Testing

/// Page frames, against drgn by DWARF, /proc/kpageflags and /proc/kpagecount.
@Suite struct PageTests {
  private static let rich = DumpEntry.all.filter { $0.has("oracle/rich/drgn.json") }.flatMap(\.elfDumps)
  private static let whole = rich.filter { !$0.file.contains(".d31") }

  private func number(_ value: Any?) -> UInt64? {
    (value as? String).flatMap { UInt64($0.dropFirst(2), radix: 16) }
      ?? (value as? Int).map { UInt64(bitPattern: Int64($0)) }
  }

  @Test("The struct page of random frames as drgn has it", .enabled(if: !rich.isEmpty), arguments: rich)
  func drgn(_ dump: Dump) throws {
    let oracle = try #require(
      JSONSerialization.jsonObject(with: dump.entry.data("oracle/rich/drgn.json")) as? [String: Any])
    let pages = try #require(oracle["pages"] as? [[String: Any]]).filter { $0["error"] == nil }
    let input = pages.map { "\($0["pfn"] as? Int ?? -1)" }.joined(separator: "\n")
    let answers = try Kva.run(["page", dump.path(), "--json"], input: input).objects()
    try #require(answers.count == pages.count && pages.count > 1000)
    for (page, answer) in zip(pages, answers) {
      for (theirs, ours) in [
        ("pfn", "pfn"), ("page", "page"), ("flags", "flagsValue"), ("refcount", "refcount"), ("mapping", "mapping"),
        ("head", "head"),
      ] {
        #expect(number(page[theirs]) == number(answer[ours]), "\(ours) of \(page)")
      }
      if let order = page["order"] as? Int { #expect(answer["order"] as? Int == order, "\(page)") }
      let count = try #require(page["mapcount"] as? Int)
      if count >= -1 { #expect(answer["mapcount"] as? Int == count + 1, "\(page)") }
    }
  }

  /// The 64-bit words of a file under /proc.
  private func words(_ entry: DumpEntry, _ name: String) throws -> [UInt64] {
    let data = try entry.data("oracle/rich/\(name).bin")
    return data.withUnsafeBytes { bytes in
      (0..<data.count / 8).map { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)) }
    }
  }

  @Test(
    "Pages are charged to the cgroup that /proc/kpagecgroup has, seconds before", .enabled(if: !whole.isEmpty),
    arguments: whole)
  func cgroups(_ dump: Dump) throws {
    // The inode of the cgroup, 0 for none; that of the root is 1, and all have it.
    let inodes = try words(dump.entry, "kpagecgroup")
    #expect(Set(inodes) == [0, 1])
    let first = 0x4000_0000 / (try dump.entry.facts().pageSize)
    var charged = 0
    var different = 0
    for line in try Kva.run(["page", dump.path(), "--all", "--json"]).lines {
      let frame = try parseObject(line)
      let place = try #require(frame["pfn"] as? Int) - Int(first)
      guard inodes.indices.contains(place) else { continue }
      let path = frame["cgroup"] as? String
      // What was freed since is charged to none any more.
      guard frame["use"] as? String != "free" else { continue }
      #expect(path == nil || path == "/")
      if path != nil { charged += 1 }
      if (path != nil) != (inodes[place] == 1) { different += 1 }
    }
    #expect(charged > 3000)
    #expect(different < 40, "\(different) of \(charged)")
    let counted = try Kva.run(["page", dump.path(), "--summary", "--of", "/", "--json"]).objects()
    #expect(counted.first { $0["use"] as? String == "total" }?["pages"] as? Int == charged)
  }

  @Test("The pages of a process are as many as /proc/PID/status counts", .enabled(if: !whole.isEmpty), arguments: whole)
  func ofProcess(_ dump: Dump) throws {
    var resident: [String: Int] = [:]
    var pid = ""
    for line in try dump.entry.lines("oracle/rich/status.txt") {
      let words = line.split(whereSeparator: { $0 == "\t" || $0 == ":" || $0 == " " }).map(String.init)
      if words.first == "Pid" { pid = words[1] }
      if words.first == "VmRSS" { resident[pid] = Int(words[1]) }
    }
    // The sleeping init has not run since.
    let rss = try #require(resident["1"])
    let counted = try Kva.run(["page", dump.path(), "--summary", "--of", "1", "--json"]).objects()
    let total = try #require(counted.first { $0["use"] as? String == "total" }?["bytes"] as? Int)
    let uses = Set(counted.compactMap { $0["use"] as? String })
    #expect(uses.isSubset(of: ["anonymous", "file", "other", "reserved", "kernel-image", "total"]), "\(uses)")
    #expect(abs(total - rss * 1024) <= 64 << 10, "\(total) of \(rss) KiB")
  }

  private static let buddy: UInt64 = 1 << 10
  /// Bits that seldom change: slab, buddy, head, tail, huge, no page, table, reserved.
  private static let stable: UInt64 = [7, 10, 15, 16, 17, 20, 26, 32].reduce(0) { $0 | 1 << $1 }

  @Test(
    "All frames as /proc/kpageflags and kpagecount have them, seconds before", .enabled(if: !whole.isEmpty),
    arguments: whole)
  func kpageflags(_ dump: Dump) throws {
    let flags = try words(dump.entry, "kpageflags")
    let counts = try words(dump.entry, "kpagecount")
    let first = 0x4000_0000 / (try dump.entry.facts().pageSize)
    var different = 0
    var uses: [String: Int] = [:]
    var seen = 0
    for line in try Kva.run(["page", dump.path(), "--all", "--json"]).lines {
      let frame = try parseObject(line)
      let place = try #require(frame["pfn"] as? Int) - Int(first)
      guard flags.indices.contains(place) else { continue }
      seen += 1
      uses[try #require(frame["use"] as? String), default: 0] += 1
      let word = try #require(number(frame["kpageflags"]))
      let count = frame["mapcount"] as? Int ?? 0
      // Free pages go to and fro between CPUs and the page allocator, on whose lists alone they are marked.
      let moved: UInt64 =
        frame["use"] as? String == "free" && flags[place] & ~Self.buddy & Self.stable == 0 ? Self.buddy : 0
      if (word ^ flags[place]) & Self.stable & ~moved != 0 || UInt64(count) != counts[place] { different += 1 }
    }
    #expect(seen == flags.count)
    // Between the listing and the stop the guest's actors went on, and its caches were dropped: the most that was seen
    // is 6 % of all frames, on four CPUs, nearly all of them free by now.
    #expect(different < flags.count / 10, "\(different) of \(flags.count)")
    // The summary is the sum over all.
    let summary = try Kva.run(["page", dump.path(), "--summary", "--json"]).objects()
    for row in summary {
      let use = try #require(row["use"] as? String)
      #expect(row["pages"] as? Int == (use == "total" ? seen : uses[use]), "\(use)")
    }
    #expect(summary.count == uses.count + 1)
    // Each use is there: the guest has processes, files, slabs and tables.
    for use in ["free", "slab", "page-table", "stack", "kernel-image", "vmalloc", "per-cpu", "anonymous", "file"] {
      #expect(uses[use] ?? 0 > 0, "\(use)")
    }
  }

  private static let withModule = DumpEntry.all.filter { $0.has("oracle/rich/kvatest.txt") }.flatMap(\.elfDumps)

  @Test("The test module's pages, by PFN and by struct page", .enabled(if: !withModule.isEmpty), arguments: withModule)
  func module(_ dump: Dump) throws {
    let line = try #require(try dump.entry.lines("oracle/rich/kvatest.txt").first { $0.contains("KVATEST pages ") })
    func word(_ name: String) throws -> UInt64 {
      let part = try #require(line.range(of: " \(name)="))
      return try #require(UInt64(line[part.upperBound...].prefix { $0.isHexDigit }, radix: 16))
    }
    let (pfn, page) = (try word("pfn"), try word("page"))
    for query in ["\(pfn)", "pfn:\(pfn)", "0x" + String(page, radix: 16)] {
      let answer = try Kva.run(["page", dump.path(), query, "--json"]).object()
      #expect(number(answer["pfn"]) == pfn && number(answer["page"]) == page, "\(query)")
    }
    for wrong in ["99999999999999999999", "pfn:x", "no_such_symbol"] {
      let result = try Kva.run(["page", dump.path(), wrong])
      #expect(result.status == 1 && result.errorLines.count == 1, "\(wrong)")
    }
  }

  private static let withOwners = DumpEntry.all.filter { $0.has("oracle/rich/page_owner.txt") }.flatMap(\.elfDumps)

  @Test(
    "Who allocated frames, as page_owner in debugfs has it", .enabled(if: !withOwners.isEmpty), arguments: withOwners)
  func owners(_ dump: Dump) throws {
    // "Page allocated via order 0, mask ..., pid 29, tgid 29 (NAME), ts 790789808 ns", "PFN 0x40000 ...", the frames.
    var wanted: [(pfn: UInt64, order: Int, time: Int, frames: [String])] = []
    var order = 0
    var time = 0
    for line in try dump.entry.lines("oracle/rich/page_owner.txt") {
      let words = line.split(whereSeparator: { " ,".contains($0) }).map(String.init)
      if line.hasPrefix("Page allocated via order ") {
        order = try #require(Int(words[4]))
        time = try #require(words.firstIndex(of: "ts").flatMap { Int(words[$0 + 1]) })
      } else if line.hasPrefix("PFN 0x") {
        wanted.append((try #require(UInt64(words[1].dropFirst(2), radix: 16)), order, time, []))
      } else if line.hasPrefix(" "), !wanted.isEmpty {
        wanted[wanted.count - 1].frames.append(words[0])
      }
    }
    let some = stride(from: 0, to: wanted.count, by: max(1, wanted.count / 200)).map { wanted[$0] }
    let input = some.map { "\($0.pfn)" }.joined(separator: "\n")
    let answers = try Kva.run(["page", dump.path(), "--json"], input: input).objects()
    try #require(answers.count == some.count && some.count > 100)
    var same = 0
    for (page, answer) in zip(some, answers) {
      let track = try #require((answer["tracks"] as? [[String: Any]])?.first, "\(page)")
      // Given to another since.
      guard track["timestamp"] as? Int == page.time else { continue }
      same += 1
      #expect(track["order"] as? Int == page.order)
      let frames = try #require(track["frames"] as? [String]).map {
        $0.split(separator: " ").first.map(String.init) ?? $0
      }
      #expect(frames == page.frames, "\(page)")
    }
    #expect(same > some.count * 3 / 4, "\(same) of \(some.count)")
  }
}
