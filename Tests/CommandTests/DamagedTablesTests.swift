import Foundation
import TestSupport
import Testing

/// Tables that lead nowhere, out of memory or to themselves: every question ends with an answer.
@Suite struct DamagedTablesTests {
  /// A change to the tables of the handmade kernel and what becomes of `query`.
  struct Damage: Sendable, CustomStringConvertible {
    let description: String
    let status: String
    /// Kind of the last entry of the walk, and how many there are.
    let kind: String
    let steps: Int
    /// Where the last entry leads, if it maps the address.
    var physical: String?
    let damage: @Sendable (inout HandmadeKernel) -> Void
  }

  static let query = HandmadeKernel.text + 0x5010

  static let cases: [Damage] =
    (0..<4).flatMap { level -> [Damage] in
      let tables = HandmadeKernel.tables
      return [
        Damage(description: "level \(level) is zero", status: "unmapped", kind: "invalid", steps: level + 1) {
          $0.setQueriedEntry(0, level: level)
        },
        Damage(
          description: "level \(level) has bit 0 clear", status: "unmapped", kind: "invalid", steps: level + 1
        ) { $0.setQueriedEntry(0xffff_ffff_ffff_fffe, level: level) },
        level == 1 || level == 2
          ? Damage(
            description: "level \(level) is a block", status: "mapped", kind: "block", steps: level + 1
          ) {
            $0.setQueriedEntry(0x4000_0701, level: level)
          }
          : Damage(
            description: "level \(level) has a reserved encoding", status: "corrupt", kind: "reserved",
            steps: level + 1
          ) { $0.setQueriedEntry(0x4000_0701, level: level) },
        level < 3
          ? Damage(
            description: "level \(level) points outside memory", status: "table-missing", kind: "table",
            steps: level + 1
          ) { $0.setQueriedEntry(0xffff_ffff_f003, level: level) }
          : Damage(
            description: "level 3 points outside memory", status: "mapped", kind: "page", steps: 4,
            physical: "0xfffffffff010"
          ) { $0.setQueriedEntry(0xffff_ffff_f703, level: 3) },
        // The table is read once more, a level below: the index of that level, 0, 0x40 or 5, has no entry there. The
        // last level maps the table as a page.
        level < 3
          ? Damage(
            description: "level \(level) points to itself", status: "unmapped", kind: "invalid", steps: level + 2
          ) { $0.setQueriedEntry(tables[level] | 3, level: level) }
          : Damage(
            description: "level 3 points to itself", status: "mapped", kind: "page", steps: 4, physical: "0x40004010"
          ) { $0.setQueriedEntry(tables[3] | 3, level: 3) },
        level < 3
          ? Damage(
            description: "level \(level) points to the root", status: "unmapped", kind: "invalid", steps: level + 2
          ) { $0.setQueriedEntry(tables[0] | 3, level: level) }
          : Damage(
            description: "level 3 points to the root", status: "mapped", kind: "page", steps: 4, physical: "0x40001010"
          ) { $0.setQueriedEntry(tables[0] | 3, level: 3) },
        // Bits 47:12 of the entry are the address of a table, or of a page.
        Damage(
          description: "every entry of level \(level) is all ones", status: level < 3 ? "table-missing" : "mapped",
          kind: level < 3 ? "table" : "page", steps: level + 1, physical: level < 3 ? nil : "0xfffffffff010"
        ) {
          for index in 0..<512 { $0.setWord(.max, at: tables[level] + UInt64(index) * 8) }
        },
        Damage(
          description: "level \(level) has an address beyond the physical range", status: "corrupt",
          kind: level == 3 ? "page" : "table", steps: level + 1
        ) { $0.limitPhysicalBits(to: 40) { $0.setQueriedEntry(1 << 44 | 0x703, level: level) } },
      ]
    }

  @Test("Every damage ends with an answer", arguments: cases)
  func answered(_ damage: Damage) throws {
    try Scratch.withFolder { folder in
      var kernel = HandmadeKernel()
      damage.damage(&kernel)
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.core.write(to: path)
      let result = try Kva.run(["resolve", path, "--json", "--walk", hex(Self.query)], limit: 20)
      #expect(result.status == 0 || result.status == 1)
      let answer = try result.object()
      let steps = try #require(answer["walk"] as? [[String: Any]])
      #expect(steps.count <= 4)
      let status = answer["status"] as? String
      #expect((status == "mapped") == (result.status == 0))
      #expect(status == damage.status)
      if let physical = damage.physical { #expect(answer["physical"] as? String == physical) }
      #expect(steps.count == damage.steps)
      #expect(steps.last?["kind"] as? String == damage.kind)
    }
  }

  @Test("A root table that is its own last level maps what its entries say")
  func recursive() throws {
    try Scratch.withFolder { folder in
      // Entry 0x1ff of the root leads to the root: four levels of it end at the root as a page.
      var kernel = HandmadeKernel()
      kernel.setWord(HandmadeKernel.tables[0] | 0x703, at: HandmadeKernel.tables[0] + 0x1ff * 8)
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.core.write(to: path)
      let answer = try Kva.run(["resolve", path, "--json", "--walk", "0xfffffffffffff123"]).object()
      #expect(answer["physical"] as? String == "0x40001123")
      let steps = try #require(answer["walk"] as? [[String: Any]])
      #expect(steps.map { $0["address"] as? String } == Array(repeating: "0x40001ff8", count: 4))
    }
  }

  @Test("A page that is mapped, but not in the dump, is answered as such")
  func outsideDump() throws {
    try Scratch.withFolder { folder in
      var kernel = HandmadeKernel()
      kernel.setQueriedEntry(0x0060_1234_5678_9703, level: 3)
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.core.write(to: path)
      let result = try Kva.run(["resolve", path, "--json", hex(Self.query)])
      #expect(result.status == 0)
      let answer = try result.object()
      #expect(answer["physical"] as? String == "0x123456789010")
      #expect(answer["inDump"] as? Bool == false)
    }
  }

  @Test("A table that was filtered out, or cut off, is told apart from one that never was")
  func missingTables() throws {
    try Scratch.withFolder { folder in
      // The level 3 table's page in a segment of its own.
      let kernel = HandmadeKernel()
      func core(_ middle: CoreWriter.Segment) -> CoreWriter {
        var core = kernel.core
        core.segments = [
          .init(0x4000_0000, Array(kernel.memory[..<0x4000])), middle,
          .init(0x4000_5000, Array(kernel.memory[0x5000...])),
        ]
        return core
      }
      let table = Array(kernel.memory[0x4000..<0x5000])
      let cases: [(CoreWriter.Segment, String, String)] = [
        (.init(0x4000_4000, table), "mapped", ""),
        (.init(0x4000_4000, memorySize: 0x1000), "table-missing", "filtered out"),
        (.init(0x4000_4000, offset: 1 << 30, fileSize: 0x1000), "table-missing", "cut short"),
        (.init(0x5000_0000, table), "table-missing", "not in this dump"),
      ]
      let path = folder.appendingPathComponent("vmcore").path
      for (segment, status, words) in cases {
        try core(segment).write(to: path)
        let answer = try Kva.run(["resolve", path, "--json", hex(Self.query)]).object()
        #expect(answer["status"] as? String == status)
        #expect(words.isEmpty || (answer["message"] as? String)?.contains(words) == true)
        for command in [["ptdump", path], ["regions", path], ["rmap", path, "0x40005000"]] {
          let result = try Kva.run(command)
          let line = result.errorLines.first { $0.contains("of addresses cannot be read") }
          #expect((line == nil) == words.isEmpty, "\(command) \(result.standardError)")
          if let line {
            #expect(result.status == 1 && line.contains(": 1 table"), "\(line)")
            #expect(line.contains("1 of them filtered out") == (words == "filtered out"), "\(line)")
          }
        }
      }
    }
  }
}

extension HandmadeKernel {
  /// Sets the entry that translates the queried address in the table of `level`.
  fileprivate mutating func setQueriedEntry(_ value: UInt64, level: Int) {
    if level == 3 {
      setWord(value, at: Self.tables[3] + 5 * 8)
    } else {
      setEntry(value, level: level)
    }
  }

  /// Says in VMCOREINFO that physical addresses have `bits` bits, then changes the tables.
  fileprivate mutating func limitPhysicalBits(to bits: Int, _ change: (inout HandmadeKernel) -> Void) {
    vmcoreinfo.append("NUMBER(MAX_PHYSMEM_BITS)=\(bits)")
    change(&self)
  }
}
