import Foundation
import TestSupport
import Testing

/// `kva layout` against the two tables and the two diagrams in the kernel's own document of 5.11.
@Suite struct LayoutTests {
  struct Document: Sendable, CustomStringConvertible {
    let description: String
    let arguments: [String]
    /// First address, last address, size, name; brackets as in the document.
    let rows: [(first: String, last: String, size: String, name: String)]
    let fields: [(level: Int, high: Int, low: Int)]
  }

  static let documents = [
    Document(
      description: "4K, 48 bits", arguments: ["--page-size", "4K", "--va-bits", "48"],
      rows: [
        ("0000000000000000", "0000ffffffffffff", "256TB", "user"),
        ("ffff000000000000", "ffff7fffffffffff", "128TB", "linear map"),
        ("[ffff600000000000", "ffff7fffffffffff]", "32TB", "[kasan shadow]"),
        ("ffff800000000000", "ffff800007ffffff", "128MB", "bpf jit"),
        ("ffff800008000000", "ffff80000fffffff", "128MB", "modules"),
        ("ffff800010000000", "fffffbffefffffff", "124TB", "vmalloc"),
        ("fffffbfff0000000", "fffffbfffdffffff", "224MB", "fixmap"),
        ("fffffbfffe000000", "fffffbfffe7fffff", "8MB", "[guard]"),
        ("fffffbfffe800000", "fffffbffff7fffff", "16MB", "pci io"),
        ("fffffbffff800000", "fffffbffffffffff", "8MB", "[guard]"),
        ("fffffc0000000000", "fffffdffffffffff", "2TB", "vmemmap"),
        ("fffffe0000000000", "ffffffffffffffff", "2TB", "[guard]"),
      ],
      fields: [(0, 47, 39), (1, 38, 30), (2, 29, 21), (3, 20, 12)]),
    Document(
      description: "64K, 52 bits", arguments: ["--page-size", "64K", "--va-bits", "52"],
      rows: [
        ("0000000000000000", "000fffffffffffff", "4PB", "user"),
        ("fff0000000000000", "ffff7fffffffffff", "~4PB", "linear map"),
        ("[fffd800000000000", "ffff7fffffffffff]", "512TB", "[kasan shadow]"),
        ("ffff800000000000", "ffff800007ffffff", "128MB", "bpf jit"),
        ("ffff800008000000", "ffff80000fffffff", "128MB", "modules"),
        ("ffff800010000000", "fffffbffefffffff", "124TB", "vmalloc"),
        ("fffffbfff0000000", "fffffbfffdffffff", "224MB", "fixmap"),
        ("fffffbfffe000000", "fffffbfffe7fffff", "8MB", "[guard]"),
        ("fffffbfffe800000", "fffffbffff7fffff", "16MB", "pci io"),
        ("fffffbffff800000", "fffffbffffffffff", "8MB", "[guard]"),
        ("fffffc0000000000", "ffffffdfffffffff", "~4TB", "vmemmap"),
        ("ffffffe000000000", "ffffffffffffffff", "128GB", "[guard]"),
      ],
      fields: [(1, 51, 42), (2, 41, 29), (3, 28, 16)]),
  ]

  static func run(_ arguments: [String]) throws -> ProcessResult { try Kva.run(["layout"] + arguments) }

  @Test("Every row of the document, as text", arguments: documents)
  func text(_ document: Document) throws {
    let result = try Self.run(["--kernel", "5.11", "--header"] + document.arguments)
    #expect(result.status == 0)
    let lines = result.lines.map { $0.split(separator: " ").joined(separator: " ") }
    let start = try #require(lines.firstIndex(of: "START-END (INCLUSIVE) SIZE USE"))
    // Sizes as kva has them, without the B.
    let rows = document.rows.map { row in
      let (first, last) = (row.first.filter { $0 != "[" }, row.last.filter { $0 != "]" })
      return "0x\(first)-0x\(last) \(row.size.dropLast()) \(row.name)"
    }
    #expect(Array(lines[(start + 1)...].prefix(rows.count)) == rows)
    for (level, high, low) in document.fields {
      #expect(lines.contains("\(high):\(low) index in the table of level \(level)"))
    }
  }

  @Test("Every row of the document and every field of its diagram, as JSON", arguments: documents)
  func json(_ document: Document) throws {
    let objects = try Self.run(["--kernel", "5.11", "--json"] + document.arguments).objects()
    let rows = objects.filter { $0["name"] != nil }
    #expect(rows.count == document.rows.count)
    for (row, expected) in zip(rows, document.rows) {
      let digits = CharacterSet(charactersIn: "[]")
      #expect(row["name"] as? String == expected.name.trimmingCharacters(in: digits))
      let first = try parseAddress(expected.first.trimmingCharacters(in: digits))
      let last = try parseAddress(expected.last.trimmingCharacters(in: digits))
      #expect(row["start"] as? String == "0x" + String(first, radix: 16))
      #expect(row["end"] as? String == "0x" + String(last &+ 1, radix: 16))
      #expect(row["size"] as? UInt64 == last - first + 1)
      #expect(row["source"] as? String != nil)
      #expect(row["mapped"] == nil)
    }
    let fields = objects.filter { $0["level"] != nil }
    #expect(
      fields.map { [$0["level"], $0["highBit"], $0["lowBit"]].map { $0 as? Int } }
        == document.fields.map { [$0.level, $0.high, $0.low] })
  }

  @Test("KASAN takes its share of the linear map, or moves what is above it")
  func kasan() throws {
    func bounds(_ arguments: [String]) throws -> [String: [String]] {
      let objects = try Self.run(arguments + ["--page-size", "4K", "--va-bits", "48", "--json"]).objects()
      return Dictionary(
        objects.compactMap { row in
          (row["name"] as? String).map { ($0, [row["start"] as? String ?? "", row["end"] as? String ?? ""]) }
        }, uniquingKeysWith: { first, _ in first })
    }
    let new = try bounds(["--kernel", "6.1", "--kasan", "generic"])
    #expect(new["linear map"] == ["0xffff000000000000", "0xffff600000000000"])
    #expect(new["kasan shadow"] == ["0xffff600000000000", "0xffff800000000000"])
    let tags = try bounds(["--kernel", "6.1", "--kasan", "sw-tags"])
    #expect(tags["kasan shadow"] == ["0xffff700000000000", "0xffff800000000000"])
    let old = try bounds(["--kernel", "5.4", "--kasan", "generic"])
    #expect(old["kasan shadow"] == ["0xffff800000000000", "0xffffa00000000000"])
    #expect(old["modules"] == ["0xffffa00008000000", "0xffffa00010000000"])
    let without = try bounds(["--kernel", "5.4"])
    #expect(without["kasan shadow"] == nil)
  }

  @Test("A 52-bit kernel on smaller hardware: tables of the shape in use, or of the configured one")
  func fallback() throws {
    func fields(_ arguments: [String]) throws -> [[Int?]] {
      try Self.run(arguments + ["--json"]).objects().filter { $0["level"] != nil }
        .map { [$0["level"], $0["highBit"], $0["lowBit"]].map { $0 as? Int } }
    }
    let kernel = ["--kernel", "6.12", "--va-bits", "52"]
    #expect(
      try fields(kernel + ["--page-size", "4K"]) == [
        [-1, 51, 48], [0, 47, 39], [1, 38, 30], [2, 29, 21], [3, 20, 12],
      ])
    #expect(
      try fields(kernel + ["--page-size", "4K", "--actual", "48"])
        == [[0, 47, 39], [1, 38, 30], [2, 29, 21], [3, 20, 12]])
    #expect(
      try fields(kernel + ["--page-size", "16K", "--actual", "47"]) == [[1, 46, 36], [2, 35, 25], [3, 24, 14]])
    #expect(
      try fields(kernel + ["--page-size", "64K", "--actual", "48"]) == [[1, 51, 42], [2, 41, 29], [3, 28, 16]])
    let text = try Self.run(kernel + ["--page-size", "64K", "--actual", "48"]).text
    #expect(text.contains("level 1 (47:42 in use)"))
  }

  @Test(
    "What no kernel is, is refused as wrong usage",
    arguments: [
      ["--kernel", "4.5", "--page-size", "4K", "--va-bits", "48"],
      ["--kernel", "5.11", "--page-size", "4K", "--va-bits", "52"],
      ["--kernel", "5.3", "--page-size", "64K", "--va-bits", "52"],
      ["--kernel", "6.1", "--page-size", "64K", "--va-bits", "39"],
      ["--kernel", "6.12", "--page-size", "16K", "--va-bits", "52", "--actual", "48"],
      ["--kernel", "6.12", "--page-size", "4K", "--va-bits", "48", "--actual", "39"],
      ["--kernel", "new", "--page-size", "4K", "--va-bits", "48"],
      ["--kernel", "6.1", "--page-size", "4K", "--va-bits", "48", "--kasan", "none"],
    ])
  func refused(_ arguments: [String]) throws {
    let result = try Self.run(arguments)
    #expect(result.status == 64)
    #expect(result.text == "")
  }
}
