import Foundation
import TestSupport
import Testing

/// Files that kva writes for other tools, read by code that shares nothing with it, and by those tools.
@Suite struct ExportTests {
  private static let dumps = DumpEntry.testData.filter { !$0.isNotedEarlier }.flatMap(\.elfDumps)
    .filter { !$0.isTablesOnly }

  private func export(_ dump: String, _ options: [String], to folder: URL) throws -> String {
    let path = folder.appendingPathComponent("out").path
    let result = try Kva.run(["export", dump, "-o", path] + options)
    try #require(result.status == 0, "\(result.standardError)")
    return path
  }

  @Test("Memory is where the MMU had it, by physical and by virtual address", arguments: dumps)
  func memory(_ dump: Dump) throws {
    let samples = try dump.entry.mmu().kernelBytes.filter(\.isSameInDump)
    #expect(samples.count > 20)
    try Scratch.withFolder { folder in
      let physical = try CoreReader(path: export(dump.path(), ["--physical"], to: folder))
      for sample in samples { #expect(try physical.bytes(sample.physical, sample.bytes.count) == sample.bytes) }
      // Whoever reads by address finds nothing that is not memory, and none twice.
      let ordered = physical.segments.sorted { $0.physical < $1.physical }
      for (one, next) in zip(ordered, ordered.dropFirst()) { #expect(one.physical + one.fileSize <= next.physical) }
      #expect(physical.segments.allSatisfy { $0.fileSize == $0.memorySize })
      let virtual = try CoreReader(path: export(dump.path(), ["--virtual", "--vmemmap"], to: folder))
      // Regions that a debugger has no use for are left out; the image, the linear map and vmalloc are not.
      let found = try samples.filter { try virtual.bytes(virtual: $0.virtual, $0.bytes.count) == $0.bytes }
      let other = try samples.filter {
        try virtual.bytes(virtual: $0.virtual, $0.bytes.count).map { _ in true } ?? false
      }
      #expect(found.count == other.count && found.count > samples.count / 2, "\(found.count) of \(samples.count)")
    }
  }

  @Test("A page that was filtered out is nowhere in the file; all others are, and equal")
  func filtered() throws {
    let entry = try DumpEntry.named("c612-64k52")
    try Scratch.withFolder { folder in
      let whole = try CoreReader(path: entry.path("vmcore.elf.zst"))
      let core = try CoreReader(path: export(entry.path("vmcore.d31-zstd"), ["--physical"], to: folder))
      let stored = core.segments.reduce(0) { $0 + $1.fileSize }
      let info = try Kva.run(["info", entry.path("vmcore.d31-zstd"), "--json"]).object()
      let present = try #require(info["pagesPresent"] as? Int)
      #expect(stored == UInt64(present) << 16)
      var compared = 0
      for segment in core.segments {
        for address in stride(from: segment.physical, to: segment.physical + segment.fileSize, by: 0x1_0000) {
          #expect(try core.bytes(address, 4096) == whole.bytes(address, 4096))
          compared += 1
        }
      }
      #expect(compared > 500 && stored < whole.segments.reduce(0) { $0 + $1.memorySize })
    }
  }

  @Test("The symbols are those of /proc/kallsyms, at their addresses")
  func symbols() throws {
    let entry = try DumpEntry.named("c612-64k52")
    var wanted: [String: Set<UInt64>] = [:]
    for line in try entry.lines("oracle/kallsyms.txt") {
      let words = line.split(separator: " ")
      guard words.count >= 3, let address = UInt64(words[0], radix: 16), !words[2].contains("\t") else { continue }
      wanted[String(words[2]), default: []].insert(address)
    }
    try Scratch.withFolder { folder in
      let path = try export(entry.path("vmcore.d31-zstd"), ["--symbols"], to: folder)
      let listed = try Program.run("nm \"$1\" && readelf -SW \"$1\" >&2", [path])
      try #require(listed.status == 0)
      #expect(!listed.standardError.contains("arning"))
      var found = 0
      for line in listed.lines {
        let words = line.split(separator: " ")
        guard words.count == 3, let address = UInt64(words[0], radix: 16) else { continue }
        #expect(wanted[String(words[2])]?.contains(address) ?? false, "\(line)")
        found += 1
      }
      #expect(found > 20_000)
    }
  }

  private static let hasDrgn = (try? Program.run("python3 -c 'import drgn'", []).status == 0) ?? false

  @Test("drgn opens a core that was a dump it cannot read", .enabled(if: hasDrgn))
  func drgn() throws {
    let entry = try DumpEntry.named("c612-64k52")
    try Scratch.withFolder { folder in
      let path = try export(entry.path("vmcore.d31-zstd"), ["--physical"], to: folder)
      let address = try entry.kallsyms()["linux_banner"] ?? 0
      let result = try Program.run(
        """
        python3 - "$1" "$2" <<'END'
        import drgn, sys
        program = drgn.Program()
        program.set_core_dump(sys.argv[1])
        print(program.flags, program.read(int(sys.argv[2]), 13).decode())
        END
        """, [path, "\(address)"])
      #expect(
        result.text.contains("IS_LINUX_KERNEL") && result.text.contains("Linux version"), "\(result.standardError)")
    }
  }

  @Test("gdb opens a core by virtual address with the symbols that kva wrote", .enabled(if: hasGDB))
  func gdb() throws {
    let entry = try DumpEntry.named("c612-64k52")
    try Scratch.withFolder { folder in
      let core = try export(entry.path("vmcore.d31-zstd"), ["--virtual", "--tasks"], to: folder)
      let symbols = folder.appendingPathComponent("symbols").path
      #expect(try Kva.run(["export", entry.path("vmcore.d31-zstd"), "--symbols", "-o", symbols]).status == 0)
      let result = try Program.run(
        """
        gdb-multiarch -nx -batch -ex 'file "$2"' -ex 'core-file "$1"' -ex 'printf "%s", (char *) &linux_banner' \
          -ex 'info threads' 2>&1
        """.replacing("\"$1\"", with: core).replacing("\"$2\"", with: symbols), [core, symbols])
      #expect(result.text.contains("Linux version 6.12") && result.text.contains("cpu_do_idle"), "\(result.text)")
      // PID 2, kthreadd, which sleeps.
      #expect(
        result.text.split(separator: "\n").contains { $0.contains("LWP 10000002 ") && $0.contains("__switch_to") })
      let opened = try Program.run("readelf -a \"$1\" 2>&1 >/dev/null", [core])
      #expect(opened.text.isEmpty, "\(opened.text)")
    }
  }

  private static let hasGDB =
    ProcessInfo.processInfo.environment["CI"] != nil
    || (try? Program.run("command -v gdb-multiarch", []).status == 0) ?? false

  @Test("The dump is never written over, and what cannot be written leaves nothing")
  func mistakes() throws {
    let dump = try DumpEntry.named("c612-64k52").path("vmcore.d31-zstd")
    let same = try Kva.run(["export", dump, "--physical", "-o", dump])
    #expect(same.status == 64 && same.standardError.contains("is the dump itself"))
    let none = try Kva.run(["export", dump, "--physical", "-o", "/nonexistent/core"])
    #expect(none.status == 2 && none.errorLines.last?.contains("/nonexistent/core: cannot be written") ?? false)
    let two = try Kva.run(["export", dump, "--physical", "--symbols", "-o", "x"])
    #expect(two.status == 64 && two.standardError.contains("Give one of"))
    try Scratch.withFolder { folder in
      let told = try Kva.run(["export", dump, "--physical", "-o", folder.appendingPathComponent("core").path])
      #expect(told.text.contains("were filtered out of the dump"))
      try FileManager.default.removeItem(at: folder.appendingPathComponent("core"))
      let path = folder.appendingPathComponent("full").path
      let limited = try Program.run(
        "ulimit -f 64; trap '' XFSZ; \"$1\" export \"$2\" --physical -o \"$3\"", [Kva.path, dump, path])
      #expect(limited.status == 2 && limited.standardError.contains("cannot be written"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
  }
}
