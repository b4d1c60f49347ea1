import Foundation
import TestSupport
import Testing

/// The page of `kva view` as a browser shows it, against what the other commands answer.
@Suite(.enabled(if: BrowserPage.path != nil, "needs chromium"), .serialized) struct ViewTests {
  static let dumps: [Dump] = ["c61-4k48-nokaslr", "c612-64k52"].flatMap { name in
    ((try? DumpEntry.named(name))?.elfDumps ?? []).prefix(1)
  }

  /// The page of a dump, written to `folder`.
  private static func page(_ dump: String, _ folder: URL, _ fragment: String = "") throws -> BrowserPage {
    let path = folder.appendingPathComponent("page.html").path
    if fragment.isEmpty {
      let result = try Kva.run(["view", dump, "-o", path])
      try #require(result.status == 0, "\(result.standardError)")
    }
    return try BrowserPage(file: path, fragment: fragment)
  }

  private static func objects(_ arguments: [String]) throws -> [[String: Any]] {
    try Kva.run(arguments + ["--json"]).objects()
  }

  private static func number(_ value: Any?) -> UInt64 { (value as? NSNumber)?.uint64Value ?? 0 }

  /// The words that the page has for the access of a mapping.
  private static func access(_ object: [String: Any]) -> String {
    let bits = object["attributes"] as? [String: Any] ?? [:]
    func has(_ name: String) -> Bool { bits[name] as? Bool ?? false }
    let kernel = "EL1 r\(has("writable") ? "w" : "-")\(has("executableEL1") ? "x" : "-")"
    let user =
      has("user") || has("executableEL0")
      ? " EL0 \(has("user") ? "r" : "-")\(has("user") && has("writable") ? "w" : "-")\(has("executableEL0") ? "x" : "-")"
      : ""
    return "\(kernel)\(user), \(bits["memoryType"] as? String ?? "?")"
  }

  @Test("Regions, mappings and RAM by use are those of regions, ptdump and page --summary", arguments: dumps)
  func numbers(_ dump: Dump) throws {
    try Scratch.withFolder { folder in
      let path = try dump.path()
      let page = try Self.page(path, folder)
      #expect(page.console == [])

      let regions = try Self.objects(["regions", path])
      let shown = page.rows("regions")
      try #require(shown.count == regions.count && shown.count > 8)
      for (row, region) in zip(shown, regions) {
        let name = try #require(region["name"] as? String)
        #expect(row[0].text == name || row[0].text == "[\(name)]")
        #expect(
          UInt64(row[1].text.dropFirst(2), radix: 16)
            == UInt64((region["start"] as? String ?? "").dropFirst(2), radix: 16))
        let mapped = (region["mapped"] as? NSNumber)?.uint64Value
        #expect(row[4].bytes == mapped, "\(name)")
      }

      var bytes: [String: UInt64] = [:]
      for range in try Self.objects(["ptdump", path]) {
        bytes[Self.access(range), default: 0] += Self.number(range["size"])
      }
      let found = Dictionary(uniqueKeysWithValues: page.rows("access").map { ($0[0].text, UInt64($0[2].text) ?? 0) })
      #expect(found == bytes && bytes.count > 2)

      let uses = try Self.objects(["page", path, "--summary"])
      let counted = page.rows("uses").map { "\($0[0].text) \($0[1].text) \($0[2].text)" }
      #expect(counted == uses.map { "\($0["use"] ?? "") \($0["pages"] ?? "") \($0["bytes"] ?? "")" })
      let report = try Kva.run(["report", path]).text
      let reported = try #require(page.text("report-text"))
      #expect(reported.contains(try #require(report.split(separator: "\n").first)))
    }
  }

  @Test("An address that is typed is looked up as resolve --walk does", arguments: dumps)
  func lookup(_ dump: Dump) throws {
    try Scratch.withFolder { folder in
      let path = try dump.path()
      _ = try Self.page(path, folder)
      let ranges = try Self.objects(["ptdump", path])
      var addresses = ["0xffffffffffffffff", "0x1000", "0xff00000000000000"]
      for number in [0, ranges.count / 3, ranges.count - 1] {
        let start = try #require(ranges[number]["start"] as? String)
        addresses.append(start)
      }
      // Beyond the end of a mapping, and with a tag in the top byte.
      addresses.append(try #require(ranges[ranges.count / 2]["end"] as? String))
      addresses.append("0xf3" + String(try #require(ranges[ranges.count / 2]["start"] as? String).dropFirst(4)))
      for address in addresses where address != "0x0" {
        let page = try Self.page(path, folder, "address=\(address)")
        #expect(page.console == [])
        let answer = try #require(try Self.objects(["resolve", path, address, "--walk"]).first)
        #expect(page.text("status") == answer["status"] as? String, "\(address)")
        #expect(page.text("physical") == answer["physical"] as? String, "\(address)")
        let walk = (answer["walk"] as? [[String: Any]] ?? []).map { step in
          ["level", "index", "address", "descriptor", "kind"].map { "\(step[$0] ?? "")" }
        }
        #expect(page.rows("walk").map { $0.map(\.text) } == walk, "\(address)")
        if answer["status"] as? String != "not-canonical" {
          #expect(page.text("region") == answer["region"] as? String, "\(address)")
        }
      }
    }
  }

  @Test("A table that is changed changes the page; a name that looks like markup is text")
  func changed() throws {
    try Scratch.withFolder { folder in
      let dump = folder.appendingPathComponent("<img src=x onerror=alert(1)><!--<script>").path
      var kernel = AuditedKernel()
      try kernel.write(to: dump)
      func writable(_ page: BrowserPage) -> UInt64? {
        page.rows("access").first { $0[0].text == "EL1 rw-, normal" || $0[0].text == "EL1 rw-, AttrIndx 0" }
          .flatMap { UInt64($0[2].text) }
      }
      let address = "address=0x\(String(AuditedKernel.vmalloc, radix: 16))"
      let before = try Self.page(dump, folder)
      #expect(try Self.page(dump, folder, address).text("status") == "mapped")
      #expect(before.text("dump")?.hasPrefix(dump) ?? false)
      #expect(!before.html.contains("<img"))
      #expect(before.console == [])
      kernel.change(AuditedKernel.vmalloc) { $0 & ~1 }
      try kernel.write(to: dump)
      let after = try Self.page(dump, folder)
      let page = try Self.page(dump, folder, address)
      #expect(page.text("status") == "unmapped")
      #expect(page.rows("walk").last?[4].text == "invalid")
      let (old, new) = (try #require(writable(before)), try #require(writable(after)))
      #expect(old - new == 4096)
    }
  }

  @Test("200,000 mappings, each to memory of its own, are at most 2 MB, and each is found")
  func large() throws {
    try Scratch.withFolder { folder in
      let dump = folder.appendingPathComponent("vmcore").path
      var kernel = AuditedKernel()
      var generator = SeededGenerator(seed: 25)
      var last: UInt64 = 0
      for page in 0..<UInt64(200_000) {
        last = AuditedKernel.ram + UInt64.random(in: 32..<1024, using: &generator) << 12
        kernel.writer.map(AuditedKernel.vmalloc + 0x100_0000 + page << 12, to: last, attributes: AuditedKernel.data)
      }
      try kernel.write(to: dump)
      let page = try Self.page(dump, folder)
      let file = folder.appendingPathComponent("page.html").path
      let size = try #require(FileManager.default.attributesOfItem(atPath: file)[.size] as? NSNumber)
      #expect(size.intValue > 300_000 && size.intValue <= 2_000_000, "\(size)")
      #expect(page.console == [])
      let address = AuditedKernel.vmalloc + 0x100_0000 + 199_999 << 12
      let found = try Self.page(dump, folder, "address=0x\(String(address, radix: 16))")
      #expect(found.text("physical") == "0x\(String(last, radix: 16))")
    }
  }
}

/// The pictures that `kva layout --svg` and `kva view --svg` draw.
@Suite struct PictureTests {
  /// The texts of an SVG file, which must be well-formed XML.
  private static func texts(_ result: ProcessResult) throws -> [String] {
    try #require(result.status == 0, "\(result.standardError)")
    let check =
      "import sys, xml.dom.minidom as m\n"
      + "for e in m.parse(sys.argv[1]).getElementsByTagName('text'): print(e.firstChild.data)"
    return try Scratch.withFolder { folder in
      let file = folder.appendingPathComponent("picture.svg")
      try result.output.write(to: file)
      let parsed = try Program.run("python3 -c \"$1\" \"$2\"", [check, file.path])
      #expect(parsed.status == 0, "\(parsed.standardError)")
      return parsed.lines
    }
  }

  @Test("The layout has every row and every field of the kernel's document", arguments: LayoutTests.documents)
  func layout(_ document: LayoutTests.Document) throws {
    let texts = try Self.texts(LayoutTests.run(["--kernel", "5.11", "--svg"] + document.arguments))
    for row in document.rows {
      let (first, last) = (row.first.filter { $0.isHexDigit }, row.last.filter { $0.isHexDigit })
      #expect(texts.contains("0x\(first)-0x\(last)"), "\(row)")
    }
    for field in document.fields {
      #expect(texts.contains("[\(field.high):\(field.low)] index at level \(field.level)"))
    }
  }

  @Test(
    "Pages whose bytes the dump lacks are told", arguments: [("c612-64k52", "zstd"), ("c61-4k48-nokaslr", "snappy")])
  func lacking(_ name: String, _ codec: String) throws {
    let entry = try DumpEntry.named(name)
    let path = try entry.path("vmcore.d31-\(codec)")
    let filtered = try #require(try Kva.run(["info", path, "--json"]).object()["pagesFiltered"] as? Int)
    #expect(filtered > 0)
    let told = try Self.texts(Kva.run(["view", path, "--svg", "ram"])).filter { $0.hasPrefix("not in the dump: ") }
    #expect(told.map { $0.split(separator: " ")[4] } == ["\(filtered)"], "\(told)")
    let whole = try entry.path("vmcore.elf")
    let all = try Self.texts(Kva.run(["view", whole, "--svg", "ram"]))
    #expect(!all.contains { $0.hasPrefix("not in the dump") })
  }

  @Test("The strip, RAM and a walk have what regions, page and resolve answer", arguments: ViewTests.dumps)
  func pictures(_ dump: Dump) throws {
    let path = try dump.path()
    let strip = try Self.texts(Kva.run(["view", path, "--svg", "strip"]))
    for region in try Kva.run(["regions", path, "--json"]).objects() {
      let name = try #require(region["name"] as? String)
      #expect(strip.contains { $0 == name || $0.hasPrefix("\(name),") || $0 == "[\(name)]" }, "\(name)")
    }
    let ram = try Self.texts(Kva.run(["view", path, "--svg", "ram"]))
    for use in try Kva.run(["page", path, "--summary", "--json"]).objects() where use["use"] as? String != "total" {
      #expect(ram.contains { $0.hasPrefix("\(use["use"] ?? ""): \(use["pages"] ?? "") pages,") }, "\(use)")
    }
    let walk = try Self.texts(Kva.run(["view", path, "--svg", "walk", "init_task"]))
    let answer = try Kva.run(["resolve", path, "init_task", "--walk", "--json"]).object()
    for step in answer["walk"] as? [[String: Any]] ?? [] {
      let line =
        "Level \(step["level"] ?? ""): entry \(step["index"] ?? "") at \(step["address"] ?? "") "
        + "is \(step["descriptor"] ?? ""), \(step["kind"] ?? "")"
      #expect(walk.contains(line), "\(line)")
    }
    #expect(try Kva.run(["view", path, "--svg", "walk", "no_such_symbol"]).status == 1)
    #expect(try Kva.run(["view", path, "--svg", "walk"]).status == 64)
    #expect(try Kva.run(["view", path]).status == 64)
    #expect(try Kva.run(["view", path, "-o", path]).status == 64)
  }
}
