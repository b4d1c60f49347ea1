import Foundation
import TestSupport
import Testing

/// Names of BPF programs, against /proc/kallsyms of the running machine.
@Suite struct BPFNameTests {
  /// Kernels with BTF. Debian's 6.1 has no name for the list of programs: it is recognised.
  private static let dumps =
    ([("c61-4k48-nokaslr", "vmcore.elf"), ("kdump-61-4k48", "vmcore.d31-zlib")]
    + ["deb61-4k48-rich", "deb73-4k52-rich", "c612-4k48-rich"].map { ($0, "vmcore.elf") }).filter { name, _ in
      (DumpEntry.testData + DumpEntry.corpus).contains { $0.name == name }
    }

  @Test("A program's code has the name that /proc/kallsyms gives it", arguments: dumps)
  func names(_ name: String, _ file: String) throws {
    let entry = try DumpEntry.named(name)
    let path = try entry.path(file)
    var wanted: [(address: UInt64, name: String)] = []
    for line in try entry.lines("oracle/kallsyms.txt") {
      let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
      if words.last == "[bpf]" { wanted.append((try parseAddress(words[0]), words[2])) }
    }
    try #require(!wanted.isEmpty)
    let listed = try Kva.run(["symbols", path, "--json"]).objects().filter { $0["module"] as? String == "bpf" }
    #expect(listed.compactMap { $0["name"] as? String } == wanted.map(\.name))
    #expect(try listed.map { try parseAddress(#require($0["address"] as? String)) } == wanted.map(\.address))
    for (address, symbol) in wanted {
      let inside = try Kva.run(["resolve", path, hex(address + 8), symbol, "--json"]).objects()
      #expect(inside[0]["symbol"] as? String == symbol && inside[0]["offset"] as? Int == 8)
      #expect(inside[0]["module"] as? String == "bpf")
      #expect(inside[1]["virtual"] as? String == hex(address))
      // The program before it in the pack, or nothing, is not it.
      let before = try Kva.run(["resolve", path, hex(address - 4), "--json"]).object()
      #expect(before["symbol"] as? String != symbol)
    }
  }

  private func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}
