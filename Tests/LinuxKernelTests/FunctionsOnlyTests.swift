import Foundation
import TestSupport
import Testing

/// A kernel whose kallsyms names functions only, made by hand (no CONFIG_KALLSYMS_ALL).
struct FunctionsOnlyTests {
  private static let text = HandmadeKernel.text

  /// Writes the kernel and a System.map that names its data, and calls `body` with both.
  private func withKernel(_ body: (_ dump: String, _ map: String) throws -> Void) throws {
    let names: [(type: Character, name: String, address: UInt64)] = [
      ("T", "_stext", Self.text), ("t", "work", Self.text + 0x100), ("D", "_etext", Self.text + 0x2000),
      ("T", "_sinittext", Self.text + 0xc000), ("t", "setup", Self.text + 0xc100),
      ("T", "_einittext", Self.text + 0xd000),
    ]
    let tables = KallsymsWriter(names, .v61, at: Self.text + 0x7000)
    var kernel = HandmadeKernel()
    let bytes = tables.bytes.dropLast(65536)
    try #require(bytes.count <= 0x5000)
    kernel.memory.replaceSubrange(0x7000..<(0x7000 + bytes.count), with: bytes)
    for (name, address) in tables.labels where !["kallsyms_markers", "kallsyms_seqs_of_names"].contains(name) {
      kernel.vmcoreinfo.append("SYMBOL(\(name))=\(String(address, radix: 16))")
    }
    let data = [("T", "_stext", 0), ("D", "_etext", 0x2000), ("R", "table", 0x5000), ("D", "_end", 0xf000)]
    let map = data.map { String(Self.text + UInt64($0.2), radix: 16) + " \($0.0) \($0.1)\n" }.joined()
    try Scratch.withFolder { folder in
      let paths = ["vmcore", "System.map"].map { folder.appendingPathComponent($0).path }
      try kernel.core.write(to: paths[0])
      try map.write(toFile: paths[1], atomically: true, encoding: .utf8)
      try body(paths[0], paths[1])
    }
  }

  private func symbols(_ arguments: [String], _ offsets: [UInt64]) throws -> [String?] {
    try Kva.run(
      ["resolve"] + arguments + ["--json", "--no-debuginfo"] + offsets.map { "0x" + String(Self.text + $0, radix: 16) }
    ).objects().map { answer in
      (answer["symbol"] as? String).map { "\($0)+\(answer["offset"] as? Int ?? -1)" }
    }
  }

  @Test("A function's name reaches to the end of the functions, and no further")
  func reach() throws {
    try withKernel { dump, _ in
      let named = try symbols([dump], [0x10, 0x110, 0x1fff, 0x2000, 0xc110, 0xcfff, 0xd000])
      #expect(named == ["_stext+16", "work+16", "work+7935", "_etext+0", "setup+16", "setup+3839", "_einittext+0"])
      #expect(try symbols([dump], [0x2001, 0x5010, 0xbfff, 0xd001, 0xe000]) == [nil, nil, nil, nil, nil])
    }
  }

  @Test("A file that knows the data names them")
  func file() throws {
    try withKernel { dump, map in
      let found = try symbols([dump, "--system-map", map], [0x110, 0x5010, 0xf000])
      #expect(found == ["work+16", "table+16", "_end+0"])
      // Behind the last symbol there is no name.
      #expect(try symbols([dump, "--system-map", map], [0xf001]) == [nil])
    }
  }
}
