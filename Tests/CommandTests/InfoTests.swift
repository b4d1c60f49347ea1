import Foundation
import TestSupport
import Testing

/// `kva info` against what is known of each machine.
@Suite struct InfoTests {
  @Test("JSON has each fact of the machine", arguments: DumpEntry.testData.flatMap(\.elfDumps))
  func json(_ dump: Dump) throws {
    let result = try Kva.run(["info", dump.path(), "--json"])
    #expect(result.status == 0)
    #expect(result.standardError == "")
    let object = try result.object()
    let facts = try dump.entry.facts()
    #expect(object["format"] as? String == "ELF")
    #expect(object["pageSize"] as? UInt64 == facts.pageSize)
    #expect(object["vaBits"] as? Int == facts.vaBits)
    #expect(object["vaBitsMin"] as? Int == facts.vaBitsMin)
    #expect(object["vaBitsActual"] as? Int == facts.vaBitsActual)
    #expect(object["kaslrOffset"] as? String == hex(facts.kaslrOffset))
    #expect(object["physOffset"] as? String == hex(facts.physOffset))
    #expect(object["kimageVoffset"] as? String == hex(facts.kimageVoffset))
    #expect(
      object["swapperPgDir"] as? [String: String] == [
        "virtual": hex(facts.swapperPgDir), "physical": hex(facts.swapperPgDir &- facts.kimageVoffset),
      ])
    #expect(object["release"] as? String == facts.release)
    let vmcoreinfo = try dump.entry.vmcoreinfo()
    #expect(object["buildID"] as? String == vmcoreinfo["BUILD-ID"])
    #expect(object["crashTime"] as? UInt64 == vmcoreinfo["CRASHTIME"].flatMap { UInt64($0) })
    #expect(object["paBits"] as? Int == vmcoreinfo["NUMBER(MAX_PHYSMEM_BITS)"].flatMap { Int($0) })
    #expect(object["warnings"] as? [String] == [])
    let sources = try #require(object["sources"] as? [String: String])
    for key in ["pageSize", "vaBits", "kimageVoffset", "release", "buildID"] {
      #expect(sources[key]?.hasPrefix("VMCOREINFO") == true, "\(key)")
    }

    let cpus = try #require(object["cpus"] as? [[String: Any]])
    #expect(cpus.count == facts.notes.count { $0 == "CORE/0x1" })
    #expect(cpus.enumerated().allSatisfy { $0.element["cpu"] as? Int == $0.offset })
  }

  @Test(
    "JSON has the registers of each CPU",
    arguments: DumpEntry.testData.filter { !$0.isNotedEarlier }.flatMap(\.elfDumps))
  func registers(_ dump: Dump) throws {
    let cpus = try #require(Kva.run(["info", dump.path(), "--json"]).object()["cpus"] as? [[String: Any]])
    #expect(try cpus.count == dump.entry.registers().count)
    for (cpu, registers) in zip(cpus, try dump.entry.registers()) {
      #expect(cpu["pc"] as? String == registers["pc"].map(hex))
      #expect(cpu["sp"] as? String == registers["sp"].map(hex))
    }
  }

  @Test("Memory is counted as the segments lie", arguments: DumpEntry.testData.flatMap(\.elfDumps))
  func memory(_ dump: Dump) throws {
    let object = try Kva.run(["info", dump.path(), "--json"]).object()
    let page = try dump.entry.facts().pageSize
    // By single 4 KiB frames, the plain way.
    var present: Set<UInt64> = []
    var all: Set<UInt64> = []
    for segment in try CoreReader(path: dump.path()).segments {
      for frame in stride(from: 0, to: segment.memorySize, by: 4096) {
        all.insert(segment.physical + frame)
        if frame < segment.fileSize { present.insert(segment.physical + frame) }
      }
    }
    #expect(object["pagesPresent"] as? Int == present.count / Int(page / 4096))
    #expect(object["pagesTotal"] as? Int == all.count / Int(page / 4096))
    #expect(object["pagesFiltered"] as? Int == (all.count - present.count) / Int(page / 4096))
    #expect(object["pagesCutOff"] as? Int == 0)
    let ranges = try #require(object["memory"] as? [[String: String]])
    var covered = 0
    var last: UInt64 = 0
    for range in ranges {
      let start = try parseAddress(range["start"] ?? "")
      let end = try parseAddress(range["end"] ?? "")
      #expect(start < end && (start > last || last == 0))
      #expect(all.contains(start) && !all.contains(end) && !all.contains(start &- 4096))
      covered += Int(end - start) / 4096
      last = end
    }
    #expect(covered == all.count)
  }

  @Test("Text has each fact with its source")
  func text() throws {
    let entry = try DumpEntry.named("c612-64k52-on48")
    let result = try Kva.run(["info", entry.elfDumps[0].path(), "-v"])
    #expect(result.status == 0)
    #expect(result.standardError == "")
    func line(_ name: String) throws -> String {
      try #require(result.lines.first { $0.hasPrefix(name + " ") }, "\(name)")
    }
    #expect(try line("format").hasSuffix("ELF"))
    let expected = [
      ("release", "6.12.117-c612-64k52"), ("page size", "64K"), ("VA_BITS", "52"), ("actual VA bits", "48"),
      ("KASLR offset", "0x433dd7a00000"), ("kimage_voffset", "0xffffc33e17800000"),
      ("PHYS_OFFSET", "0xfff0b22600000000"), ("swapper_pg_dir", "0xffffc33e58000000"),
      ("  physical", "0x40800000"),
      ("build-ID", try #require(try entry.vmcoreinfo()["BUILD-ID"])),
    ]
    for (name, value) in expected {
      let line = try line(name)
      #expect(line.contains(" \(value)  (VMCOREINFO"), "\(line)")
    }
    #expect(try line("cpu 0").contains(hex(#require(try entry.registers()[0]["pc"]))))
  }

  @Test("The crash time of a real kdump is shown as a date")
  func crashTime() throws {
    let entry = try DumpEntry.named("kdump-61-4k48")
    let seconds = try #require(try entry.vmcoreinfo()["CRASHTIME"].flatMap { Double($0) })
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(identifier: "UTC")
    formatter.dateFormat = "yyyy-MM-dd HH:mm:ss 'UTC'"
    let lines = try Kva.run(["info", entry.path("vmcore.d31-zlib")]).lines
    let line = try #require(lines.first { $0.hasPrefix("crash time") })
    #expect(line.contains(formatter.string(from: Date(timeIntervalSince1970: seconds))))
  }

  @Test("Without VMCOREINFO the file is still described, and the status says that something is missing")
  func withoutVMCoreInfo() throws {
    try Scratch.withFolder { folder in
      var kernel = HandmadeKernel()
      kernel.vmcoreinfo = []
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.core.write(to: path)
      let result = try Kva.run(["info", path, "--json"])
      #expect(result.status == 1)
      #expect(result.errorLines.count == 1)
      #expect(result.standardError.hasPrefix("kva: \(path): "))
      let object = try result.object()
      #expect(object["format"] as? String == "ELF")
      #expect(object["memory"] as? [[String: String]] == [["start": "0x40000000", "end": "0x40010000"]])
      #expect((object["cpus"] as? [Any])?.count == 1)
    }
  }

  @Test("A dump cut in the middle says so, and what is there is still read")
  func cut() throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      let core = HandmadeKernel().core
      try core.write(to: path, size: UInt64(core.bytes().count) - 0x2000)
      let result = try Kva.run(["info", path, "--json"])
      #expect(result.status == 0)
      #expect(result.errorLines.count == 1)
      #expect(result.standardError.contains("cut"))
      let object = try result.object()
      #expect(object["pagesCutOff"] as? Int == 2)
      #expect((object["warnings"] as? [String])?.count == 1)
      let answers = try Kva.run(["resolve", path, "--json", "ffff800008005000", "ffff80000800f000"]).objects()
      #expect(answers.map { $0["inDump"] as? Bool } == [true, false])
      #expect(answers.map { $0["physical"] as? String } == ["0x40005000", "0x4000f000"])
    }
  }
}
