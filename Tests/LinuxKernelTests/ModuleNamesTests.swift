import Foundation
import KernelVA
import TestSupport
import Testing

/// Names of modules that are none to the kernel, or hold what a terminal does not show.
struct ModuleNamesTests {
  /// A core in which `queue_request_and_unlock` of fuse, 0x20 bytes behind `fuse_get_unique`, is called `.L14<2>1`, as
  /// GNU as calls a local label.
  private func withLabel(_ body: (String) throws -> Void) throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let facts = try entry.facts()
    try Scratch.withFolder { folder in
      let core = try PatchedCore(
        copying: try entry.path("vmcore.elf"), to: folder.appendingPathComponent("vmcore").path,
        root: facts.swapperPgDir &- facts.kimageVoffset)
      try core.replaceAll(Array("\0queue_request_and_unlock\0".utf8), with: Array("\0.L14\u{2}1\0ue".utf8))
      try body(core.path)
    }
  }

  // /proc/kallsyms of c61-4k48-nokaslr, in its order.
  private static let before: UInt64 = 0xffff_8000_003c_6040  // fuse_get_unique
  private static let label: UInt64 = 0xffff_8000_003c_6060  // queue_request_and_unlock
  private static let next: UInt64 = 0xffff_8000_003c_60e0  // flush_bg_queue

  @Test("A local label names no address and does not end the function before it")
  func label() throws {
    try withLabel { path in
      let kernel = try Kernel(in: DumpFile(path: path))
      for address in [Self.before + 4, Self.label, Self.label + 4, Self.next - 4] {
        let offset = String(address - Self.before, radix: 16)
        #expect(
          kernel.text(of: CodePlace(address, isReturn: false)) == "fuse_get_unique+0x\(offset)/0xa0 [fuse]")
      }
      #expect(kernel.text(of: CodePlace(Self.next, isReturn: false)).hasPrefix("flush_bg_queue+0x0/"))
    }
  }

  @Test("A name with control characters is listed, in JSON as it is, as text with escapes")
  func listed() throws {
    try withLabel { path in
      let symbols = try Kva.run(["symbols", path, ".L14*", "--json", "--no-debuginfo"]).objects()
      #expect(symbols.map { $0["name"] as? String } == [".L14\u{2}1"])
      #expect(symbols.first?["address"] as? String == "0xffff8000003c6060")
      let text = try Kva.run(["symbols", path, ".L14*", "--no-debuginfo"]).text
      #expect(text == "ffff8000003c6060 t .L14\\x021 [fuse]\n")
    }
  }

  @Test("What of a module's memory has no symbol is given none")
  func unnamed() throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let path = try entry.path("vmcore.elf")
    var first: [String: [UInt64]] = [:]
    for line in try entry.lines("oracle/kallsyms.txt") {
      let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
      if words.count == 4, !words[2].hasPrefix("$") { first[words[3], default: []].append(try parseAddress(words[0])) }
    }
    var asked = 0
    for module in try Kva.run(["modules", path, "--json", "--no-debuginfo"]).objects() {
      let name = try #require(module["name"] as? String)
      let symbols = try #require(first["[\(name)]"])
      for region in try #require(module["regions"] as? [[String: Any]]) {
        let start = try parseAddress(try #require(region["start"] as? String))
        let end = try parseAddress(try #require(region["end"] as? String))
        guard !symbols.contains(start),
          let lowest = symbols.filter({ (start..<end).contains($0) }).min() ?? end as UInt64?
        else { continue }
        for address in [start, lowest - 1] {
          let answer = try Kva.run(
            ["identify", path, "0x" + String(address, radix: 16), "--json", "--no-debuginfo"]
          ).object()
          #expect(answer["symbol"] == nil, "\(name) at \(address)")
          #expect((answer["module"] as? [String: Any])?["name"] as? String == name)
          asked += 1
        }
      }
    }
    #expect(asked > 0)
  }
}
