import Foundation
import TestSupport
import Testing

/// Free pages as kernels of each time mark them, to the commands that look at them.
@Suite struct FreePageTests {
  struct Marks: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE) in VMCOREINFO.
    var value: Int64
    /// The word in the place of `_mapcount` of a free page, and of one that is offline.
    var free: UInt64
    var other: UInt64
  }

  /// (include/linux/page-flags.h: PG_buddy 0x80 below 0xf0000000, 0x40000000 below 0x80000000, PGTY_buddy 0xf0)
  static let marks = [
    Marks(testDescription: "4.18 to 6.10", value: -129, free: 0xffff_ff7f, other: 0xffff_feff),
    Marks(testDescription: "6.11", value: -0x4000_0001, free: 0xbfff_ffff, other: 0xdfff_ffff),
    Marks(testDescription: "6.12", value: -0x1000_0000, free: 0xf000_0000, other: 0xf100_0000),
  ]

  /// Where AuditedKernel has its `struct page`, each of 64 bytes.
  private func page(_ frame: UInt64) -> UInt64 { 0x4030_0000 + frame * 64 }

  @Test("identify and audit agree on what is free", arguments: marks)
  func agreement(_ marks: Marks) throws {
    try Scratch.withFolder { folder in
      var kernel = AuditedKernel()
      kernel.vmcoreinfo.removeAll { $0.hasPrefix("NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)") }
      kernel.vmcoreinfo += ["NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=\(marks.value)", "LENGTH(zone.free_area)=11"]
      // Eight free pages from frame 0x290 on, whose sixth is a table; one page of another type; a block of 2^11 pages,
      // which this kernel does not have.
      kernel.memory[page(0x290) + 48] = marks.free
      kernel.memory[page(0x290) + 40] = 3
      kernel.memory[page(0x2a0) + 48] = marks.other
      kernel.memory[page(0x2b0) + 48] = marks.free
      kernel.memory[page(0x2b0) + 40] = 11
      let empty: UInt64 = 0xffff_8000_2000_0000
      kernel.writer.map(empty, to: 0x4020_0000, attributes: AuditedKernel.data)
      kernel.change(empty, level: 2) { _ in 0x4029_5003 }
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)

      let frames: [(frame: UInt64, isFree: Bool)] = [
        (0x28f, false), (0x290, true), (0x295, true), (0x297, true), (0x298, false), (0x2a0, false), (0x2b0, false),
      ]
      let queries = frames.map { "0x" + String(AuditedKernel.linear + $0.frame << 12, radix: 16) }
      let answers = try Kva.run(["identify", path, "--json"] + queries).objects()
      try #require(answers.count == frames.count)
      for (answer, expected) in zip(answers, frames) {
        let frame = try #require(answer["frame"] as? [String: Any])
        #expect(frame["number"] as? Int == Int(0x40000 + expected.frame))
        #expect((frame["use"] as? String == "free") == expected.isFree, "frame \(String(expected.frame, radix: 16))")
      }
      let findings = try Kva.run(["audit", path, "--json"]).objects()
      #expect(findings.contains { $0["code"] as? String == "table-free" })
    }
  }
}
