import Foundation
import TestSupport
import Testing

/// Kernels whose user space is wider than their own half: 64 KiB pages, 5.0 to 5.3 (CONFIG_ARM64_USER_VA_BITS_52).
@Suite struct UserWidthTests {
  @Test("regions has all of user space, as resolve and info do", arguments: [UInt64(52), 48])
  func width(_ bits: UInt64) throws {
    // _stext at 0x40000000, the variable in the page after it, the tables from 0x40100000 on.
    let text: UInt64 = 0xffff_0000_1008_0000
    var tables = TableWriter(.k64, .lpa, vaBits: 52, root: 0x4010_0000, firstTable: 0x4011_0000)
    for page in 0..<UInt64(32) {
      tables.map(text + page << 16, to: 0x4000_0000 + page << 16, attributes: AuditedKernel.data)
    }
    var memory = [UInt8].zeros(0x20_0000)
    func put(_ word: UInt64, at address: UInt64) {
      let start = Int(address - 0x4000_0000)
      memory.replaceSubrange(start..<(start + 8), with: [UInt8](little: word))
    }
    // A process that maps a page above 48 bits.
    var process = TableWriter(.k64, .lpa, vaBits: 52, root: 0x401f_0000, firstTable: 0x401d_0000)
    process.map(0xf_0000_0000_0000, to: 0x4002_0000, attributes: AuditedKernel.data | 1 << 6)
    for (address, word) in tables.words.merging(process.words, uniquingKeysWith: { a, _ in a }) {
      put(word, at: address)
    }
    put(bits, at: 0x4001_0000)
    let lines = [
      "OSRELEASE=5.1.0-handmade", "PAGESIZE=65536", "SYMBOL(swapper_pg_dir)=\(String(text + 0x10_0000, radix: 16))",
      "SYMBOL(_stext)=\(String(text, radix: 16))", "NUMBER(VA_BITS)=48",
      "NUMBER(kimage_voffset)=0x\(String(text - 0x4000_0000, radix: 16))", "KERNELOFFSET=0",
    ]
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      let note = CoreWriter.vmcoreinfo(lines.map { $0 + "\n" }.joined())
      try CoreWriter(notes: note, [.init(0x4000_0000, memory)]).write(to: path)
      let map = folder.appendingPathComponent("System.map").path
      try Data("\(String(text, radix: 16)) T _stext\n\(String(text + 0x1_0000, radix: 16)) D vabits_user\n".utf8)
        .write(to: URL(fileURLWithPath: map))
      let answer = try Kva.run(["regions", path, "--json", "--system-map", map])
      let user = try #require(try answer.objects().first { $0["name"] as? String == "user" })
      #expect(user["end"] as? String == (bits == 52 ? "0x10000000000000" : "0x1000000000000"))
      if bits == 52 { #expect(user["source"] as? String == "the variable vabits_user") }
      // Without the variable the shape of the root says it, and the tables of a process have that shape, too.
      let alone = try Kva.run(["info", path, "--json"]).object()["tcr"] as? [String: Any]
      #expect(alone?["t0sz"] as? Int == 12)
      let high = try Kva.run(["resolve", path, "0xf000000000000", "--ttbr0", "0x401f0000", "--json"]).object()
      #expect(high["physical"] as? String == "0x40020000")
    }
  }
}
