import Foundation
import TestSupport
import Testing

/// Tables that were overwritten, and what says so of the answers that rest on them: each rule by itself.
@Suite struct DoubtTests {
  /// The kernel of a real dump, without KASLR: physical addresses in the linear map begin at 0xffff000000000000.
  private struct Kernel {
    let file: DamagedFile
    let reader: CoreReader
    let root: UInt64

    /// The tables on the way to `address`, from the root down, and the entry in each.
    func walk(_ address: UInt64) throws -> [(table: UInt64, entry: UInt64, value: UInt64)] {
      var table = root
      var steps: [(UInt64, UInt64, UInt64)] = []
      for shift in [39, 30, 21, 12] as [UInt64] {
        let entry = table + (address >> shift & 511) * 8
        let value = try #require(try reader.word(entry))
        steps.append((table, entry, value))
        guard value & 3 == 3 else { break }
        table = value & 0xffff_ffff_f000
      }
      return steps
    }

    func offset(_ physical: UInt64) throws -> Int { Int(try #require(reader.offset(physical, 8))) }
  }

  /// Calls `body` with a copy of the dump that it may damage.
  private func withKernel(_ body: (Kernel) throws -> Void) throws {
    let dump = try DumpEntry.named("c61-4k48-nokaslr").dump("vmcore.elf")
    let info = try dump.entry.vmcoreinfo()
    let offset = try parseAddress(info["NUMBER(kimage_voffset)"] ?? "")
    let root = try parseAddress(info["SYMBOL(swapper_pg_dir)"] ?? "") &- offset
    try Scratch.withFolder { folder in
      let file = try DamagedFile(copyOf: dump.path(), at: folder.appendingPathComponent("vmcore").path)
      try body(Kernel(file: file, reader: CoreReader(path: file.path), root: root))
    }
  }

  private func doubt(_ kernel: Kernel, _ address: UInt64, status: String) throws -> String {
    let result = try Kva.run(["resolve", kernel.file.path, "--json", "--no-debuginfo", hex(address)])
    let answer = try result.object()
    #expect(answer["status"] as? String == status)
    return answer["doubt"] as? String ?? ""
  }

  private func expect(_ words: String, _ kernel: Kernel, _ address: UInt64, status: String) throws {
    let doubt = try doubt(kernel, address, status: status)
    #expect(doubt.contains(words))
  }

  private func expectNone(_ kernel: Kernel, _ address: UInt64, status: String) throws {
    let doubt = try doubt(kernel, address, status: status)
    #expect(doubt.isEmpty)
  }

  private static let linear: UInt64 = 0xffff_0000_0000_0000
  private static let vmemmap: UInt64 = 0xffff_fc00_0000_0000

  @Test("An entry of the linear map that is gone, where RAM is")
  func linearMap() throws {
    try withKernel { kernel in
      // Of the last RAM, which lies in pages of their own.
      let address = Self.linear + 0x1495000
      let last = try #require(try kernel.walk(address).last)
      #expect(last.value & 0xffff_ffff_f000 == 0x4149_5000)
      try expectNone(kernel, address, status: "mapped")
      try kernel.file.with(.zeros(8), at: kernel.offset(last.entry)) {
        try expect("RAM is here, at 0x41495000", kernel, address, status: "unmapped")
      }
      // Taken out for a while: all but bit 0 stays (set_memory_valid).
      try kernel.file.with([UInt8](little: last.value & ~1), at: kernel.offset(last.entry)) {
        try expectNone(kernel, address, status: "unmapped")
      }
    }
  }

  @Test("vmemmap that is gone, where the linear map has what it describes")
  func vmemmap() throws {
    try withKernel { kernel in
      // The struct page of frame 0x40000 + 0x4f15, 64 bytes each; RAM begins at frame 0x40000.
      let address = Self.vmemmap + 0x13c540
      let steps = try kernel.walk(address)
      try expectNone(kernel, address, status: "mapped")
      let last = try #require(steps.last)
      try kernel.file.with(.zeros(8), at: kernel.offset(last.entry)) {
        try expect("the linear map has page frame 282389", kernel, address, status: "unmapped")
      }
      // Beyond RAM nothing has to be described.
      try expectNone(kernel, Self.vmemmap + 0x1000_0000, status: "unmapped")
    }
  }

  @Test("Tables that lead to themselves")
  func circle() throws {
    try withKernel { kernel in
      let address = Self.vmemmap + 0x13c540
      let steps = try kernel.walk(address)
      try kernel.file.with([UInt8](little: kernel.root | 3), at: kernel.offset(steps[0].entry)) {
        try expect("the table at \(hex(kernel.root)) was passed twice", kernel, address, status: "unmapped")
      }
    }
  }

  @Test("Something that is mapped where a kernel maps nothing")
  func guarded() throws {
    try withKernel { kernel in
      // The 8 MiB below the PCI I/O space, in the table of the linear map's last level.
      let address: UInt64 = 0xffff_fbff_fe40_0000
      let entry = try #require(try kernel.walk(Self.linear + 0x1495000).last).value
      let last = try #require(try kernel.walk(address).last)
      #expect(last.value == 0)
      try expectNone(kernel, address, status: "unmapped")
      // A block of 2 MiB.
      let block = entry & ~0x1f_f002
      try kernel.file.with([UInt8](little: block), at: kernel.offset(last.entry)) {
        try expect("no kernel maps anything here", kernel, address, status: "mapped")
        let listed = try Kva.run(["ptdump", kernel.file.path, "--json", "--region", "guard"]).objects()
        #expect(listed.count == 1 && listed[0]["doubt"] as? String == "no kernel maps anything here")
        let physical = hex(block & 0xffff_ffe0_0000)
        let mappings = try Kva.run(["rmap", kernel.file.path, "--json", physical]).objects()
        let odd = mappings.filter { $0["doubt"] != nil }
        #expect(odd.map { $0["virtual"] as? String } == [hex(address & ~0x1f_ffff)])
        #expect(mappings.count > 1)
      }
    }
  }

  @Test("A table of vmalloc memory that another was written over: one of vmalloc, one of the linear map")
  func twins() throws {
    try withKernel { kernel in
      // Areas whose last tables are not the same, mapped at their first page. (/proc/vmallocinfo)
      let entry = try DumpEntry.named("c61-4k48-nokaslr")
      let text = try String(decoding: entry.data("oracle/vmallocinfo.txt"), as: UTF8.self)
      let areas = try text.split(separator: "\n").map { try parseAddress(String($0.prefix(18))) }
      let mapped = try areas.filter { try #require(kernel.walk($0).last).value & 3 == 3 && kernel.walk($0).count == 4 }
      let victim = try #require(mapped.first)
      let other = try #require(mapped.first { $0 >> 21 != victim >> 21 })
      let table = try kernel.walk(victim)[3].table
      try expectNone(kernel, victim, status: "mapped")
      try expectNone(kernel, other, status: "mapped")
      for source in [other, Self.linear + 0x1495000] {
        let above = try kernel.walk(source)[3].table
        let bytes = try kernel.file.bytes(kernel.offset(above), 4096)
        try kernel.file.with(bytes, at: kernel.offset(table)) {
          // Whatever the entry is now, a page or none, the answer is not to be believed.
          let answer = try Kva.run(["resolve", kernel.file.path, "--json", "--no-debuginfo", hex(victim)]).object()
          let words = "at \(hex(table)), is equal to that at \(hex(above)): one was written over the other"
          #expect((answer["doubt"] as? String)?.contains(words) == true, "\(answer)")
          for list in ["regions", "ptdump"] {
            let result = try Kva.run([list, kernel.file.path])
            #expect(result.status == 1)
            #expect(result.standardError.contains("there twice: one was written over another"), "\(list)")
          }
        }
      }
      // The table above the last one, over that of the linear map: both then lead to the same tables.
      let upper = try kernel.file.bytes(kernel.offset(kernel.walk(Self.linear + 0x1495000)[2].table), 4096)
      try kernel.file.with(upper, at: kernel.offset(kernel.walk(victim)[2].table)) {
        let answer = try Kva.run(["resolve", kernel.file.path, "--json", "--no-debuginfo", hex(victim)]).object()
        #expect(answer["doubt"] != nil, "\(answer)")
      }
    }
  }

  @Test("One table of equal entries at two places, as KASAN has it, is no twin; one of others is")
  func shared() throws {
    try withKernel { kernel in
      let page = try #require(try kernel.walk(Self.linear + 0x1495000).last).value
      // Two entries above the last level that nothing is behind, between vmalloc areas, and a page for their table.
      let above = try kernel.walk(0xffff_8000_003c_6000)[2].table
      let free = try (0..<512).filter { try kernel.reader.word(above + UInt64($0) * 8) == 0 }.prefix(2)
      try #require(free.count == 2)
      let table: UInt64 = 0x4149_5000
      let link = [UInt8](little: table | 3)
      let equal = (0..<512).flatMap { _ in [UInt8](little: page) }
      func told(_ contents: [UInt8]) throws -> Bool {
        var told = false
        try kernel.file.with(contents, at: kernel.offset(table)) {
          try kernel.file.with(link, at: kernel.offset(above + UInt64(free[0]) * 8)) {
            try kernel.file.with(link, at: kernel.offset(above + UInt64(free[1]) * 8)) {
              told = try Kva.run(["regions", kernel.file.path]).standardError.contains("there twice")
            }
          }
        }
        return told
      }
      #expect(try !told(equal))
      #expect(try told(equal.dropLast(8) + [UInt8](little: UInt64(0))))
    }
  }

  @Test("Entries that regions counts: two of the linear map that have changed places, one that EL0 may execute")
  func counted() throws {
    try withKernel { kernel in
      let first = try #require(try kernel.walk(Self.linear + 0x1495000).last)
      let second = try #require(try kernel.walk(Self.linear + 0x1496000).last)
      func expectOdd(_ count: Int?) throws {
        let result = try Kva.run(["regions", kernel.file.path])
        #expect(result.status == (count == nil ? 0 : 1))
        let words = count == 1 ? "1 entry is none that a kernel writes there" : "2 entries are none"
        #expect(result.errorLines.count == (count == nil ? 0 : 1))
        #expect(count == nil || result.standardError.contains(words), "\(result.standardError)")
      }
      try expectOdd(nil)
      try kernel.file.with([UInt8](little: second.value), at: kernel.offset(first.entry)) {
        try expectOdd(1)
        try kernel.file.with([UInt8](little: first.value), at: kernel.offset(second.entry)) { try expectOdd(2) }
      }
      try kernel.file.with([UInt8](little: first.value & ~(1 << 54)), at: kernel.offset(first.entry)) {
        try expectOdd(1)
      }
    }
  }

  @Test("A table of the linear map that is another's, and one that is empty")
  func others() throws {
    try withKernel { kernel in
      let address = Self.linear + 0x1495000
      let table = try #require(try kernel.walk(address).last).table
      // The table of level 2 that leads there: a level above, its entries are tables.
      let above = try kernel.file.bytes(kernel.offset(kernel.walk(address)[2].table), 4096)
      try kernel.file.with(above, at: kernel.offset(table)) {
        try expect("by arithmetic RAM is here", kernel, address, status: "unmapped")
      }
      // An entry of it that leads elsewhere is told where one near it is empty; regions counts it.
      let place = try kernel.offset(table) + Int(address >> 12 & 511) * 8
      let entry = try kernel.file.number(place, 8)
      try kernel.file.with([UInt8](little: entry &+ 0x10_0000) + .zeros(8), at: place) {
        let result = try Kva.run(["regions", kernel.file.path])
        #expect(result.status == 1)
        #expect(result.errorLines.contains { $0.contains("1 entry is none that a kernel writes there") })
      }
    }
  }

  @Test("Records of the log with a number or a caller that none has")
  func log() throws {
    try withKernel { kernel in
      let path = kernel.file.path
      let sound = try Kva.run(["dmesg", path, "--json"]).objects()
      // printk_info: seq and ts_nsec of the third record, with its text's length and who wrote it behind.
      let third = sound[2]
      let sequence = try #require(third["sequence"] as? Int)
      let time = try #require(third["timestamp"] as? Int)
      let text = try #require(third["text"] as? String)
      let data = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
      let head = Data(
        [UInt8](little: UInt64(sequence)) + [UInt8](little: UInt64(time)) + [UInt8](little: UInt16(text.utf8.count)))
      let info = try #require(data.range(of: head)).lowerBound
      for (offset, damage) in [(0, 1), (20, 0x20ff_ffff), (20, 0x8fff_ffff)] {
        let value = offset == 0 ? sequence + damage : damage
        try kernel.file.with([UInt8](little: UInt32(value)), at: info + offset) {
          let result = try Kva.run(["dmesg", path, "--json"])
          #expect(result.status == 1)
          #expect(try result.objects().count == sound.count - 1)
          #expect(result.errorLines.count == 1 && result.standardError.contains("1 messages cannot be read"))
        }
      }
    }
  }
}
