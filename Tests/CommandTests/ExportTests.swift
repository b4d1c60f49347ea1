import Foundation
import TestSupport
import Testing

/// Files that kva writes for other tools, read by code that shares nothing with it, and by those tools.
@Suite struct ExportTests {
  private static let dumps = DumpEntry.testData.filter { !$0.isNotedEarlier }.flatMap(\.elfDumps)
    .filter { !$0.isTablesOnly && !$0.file.contains(".d31") }

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

  @Test("gdb opens a core by virtual address with the symbols that kva wrote", .enabled(if: has("gdb-multiarch")))
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

  private static func has(_ program: String) -> Bool {
    ProcessInfo.processInfo.environment["CI"] != nil
      || (try? Program.run("command -v \(program)", []).status == 0) ?? false
  }

  /// The vmlinux of `entry`, in `folder`.
  private func vmlinux(_ entry: DumpEntry, in folder: URL) throws -> String {
    let path = folder.appendingPathComponent("vmlinux").path
    let packed = entry.folder.appendingPathComponent("vmlinux.zst").path
    try #require(Program.run("zstd -dq \"$1\" -o \"$2\"", [packed, path]).status == 0)
    return path
  }

  @Test("gdb moves a vmlinux to where KASLR put the kernel of a core", .enabled(if: has("gdb-multiarch")))
  func gdbMovesVmlinux() throws {
    let entry = try DumpEntry.named("c612-64k52")
    let address = try #require(try entry.kallsyms()["cpu_do_idle"])
    try Scratch.withFolder { folder in
      let core = try export(entry.path("vmcore.d31-zstd"), ["--virtual"], to: folder)
      let result = try Program.run(
        "gdb-multiarch -nx -batch -ex \"file $2\" -ex \"core-file $1\" -ex 'info address cpu_do_idle' -ex 'p/x $pauth_cmask' 2>&1",
        [core, vmlinux(entry, in: folder)])
      #expect(result.text.contains(String(address, radix: 16)), "\(result.text)")
      // 52 bits of address, and bit 55 chooses the tables.
      #expect(result.text.contains("= 0x70000000000000"), "\(result.text)")
    }
  }

  @Test(
    "lldb shows the stack of a task of a core, with signed return addresses, by symbols of kva's and of vmlinux",
    .enabled(if: has("lldb")))
  func lldb() throws {
    let entry = try DumpEntry.named("c612-64k52")
    try Scratch.withFolder { folder in
      let dump = try entry.path("vmcore.d31-zstd")
      let core = try export(dump, ["--virtual", "--tasks"], to: folder)
      let symbols = folder.appendingPathComponent("symbols").path
      #expect(try Kva.run(["export", dump, "--symbols", "-o", symbols]).status == 0)
      for file in [symbols, try vmlinux(entry, in: folder)] {
        // Debian's, not that of a Swift toolchain. kthreadd is the third task, behind two CPUs and init.
        let result = try Program.run(
          """
          debugger=/usr/bin/lldb
          [ -x $debugger ] || debugger=lldb
          $debugger -b -o "target create '$1' --core '$2'" -o 'thread list' -o 'thread select 4' -o bt \
            -o 'x/s &linux_banner' 2>&1
          """, [file, core])
        #expect(result.text.contains("tid = 10000002"), "\(result.text)")
        let trace = result.text.split(separator: "\n").filter { $0.contains("frame #") }
          .compactMap { $0.split(separator: "`").last?.split(separator: " ").first.map(String.init) }
        let known = ["__switch_to", "__schedule", "schedule", "kthreadd", "ret_from_fork"]
        #expect(trace.joined(separator: " ").contains(known.joined(separator: " ")), "\(trace)")
        #expect(result.text.contains("\"Linux version 6.12"))
      }
    }
  }

  /// A makedumpfile for arm64: that of an arm64 machine, or one that was compiled for that target.
  private static let arm64Makedumpfile: String? = {
    if let named = ProcessInfo.processInfo.environment["KVA_MAKEDUMPFILE"] { return named }
    #if arch(arm64)
      return (try? Program.run("command -v makedumpfile", []).lines.first) ?? nil
    #else
      return nil
    #endif
  }()

  @Test("makedumpfile filters what was a dump that it had filtered before", .enabled(if: arm64Makedumpfile != nil))
  func makedumpfile() throws {
    let entry = try DumpEntry.named("c612-64k52")
    try Scratch.withFolder { folder in
      let core = try export(entry.path("vmcore.d31-zstd"), ["--physical"], to: folder)
      let result = try Program.run("\"$1\" -c -d 31 \"$2\" \"$2.kdump\" 2>&1", [Self.arm64Makedumpfile ?? "", core])
      #expect(result.status == 0, "\(result.text.suffix(400))")
      let answer = try Kva.run(["resolve", core + ".kdump", "linux_banner", "--json"])
      #expect(answer.status == 0 && answer.text.contains("\"mapped\""))
    }
  }

  /// Debian's Python, for which it packages libkdumpfile.
  private static let hasLibkdumpfile =
    ProcessInfo.processInfo.environment["CI"] != nil
    || (try? Program.run("/usr/bin/python3 -c 'import kdumpfile'", []).status == 0) ?? false

  @Test(
    "libkdumpfile reads 10,000 pages of an ELF core and of a kdump file as they are in the dump",
    .enabled(if: hasLibkdumpfile), arguments: ["--physical", "--kdump=zstd", "--kdump=lzo"])
  func libkdumpfile(_ option: String) throws {
    let core = try DumpEntry.named("c61-4k48-nokaslr").path("vmcore.elf.zst")
    let script = Self.comparison.replacing("import drgn, random", with: "import kdumpfile, random")
      .replacing("drgn.Program()", with: "kdumpfile.kdumpfile(sys.argv[2])")
      .replacing("dump.set_core_dump(sys.argv[2])", with: "")
      .replacing(
        "dump.read(address, size, physical=True)", with: "bytes(dump.read(kdumpfile.KDUMP_MACHPHYSADDR, address, size))"
      )
      .replacing("drgn.FaultError", with: "ValueError")
    try Scratch.withFolder { folder in
      let path = try export(core, [option], to: folder)
      let result = try Program.run("/usr/bin/python3 - \"$1\" \"$2\" 4096 <<'END'\n\(script)\nEND", [core, path])
      #expect(result.text == "10000 0\n", "\(result.standardError)")
    }
  }

  // MARK: kdump-compressed files

  /// Compares pages of a kdump-compressed file, as drgn reads them, with those of an ELF core.
  private static let comparison = """
    import drgn, random, struct, sys
    core, dump, size = open(sys.argv[1], "rb").read(), drgn.Program(), int(sys.argv[3])
    dump.set_core_dump(sys.argv[2])
    start, = struct.unpack_from("<Q", core, 32)
    count, = struct.unpack_from("<H", core, 56)
    pages = []
    for number in range(count):
        kind, _, offset, _, address, length, _, _ = struct.unpack_from("<IIQQQQQQ", core, start + 56 * number)
        if kind == 1:
            pages += [(address + place, offset + place) for place in range(0, length, size)]
    equal = absent = 0
    for address, offset in random.Random(23).sample(pages, min(10000, len(pages))):
        try:
            page = dump.read(address, size, physical=True)
        except drgn.FaultError:
            absent += 1
            continue
        assert page == core[offset:offset + size], hex(address)
        equal += 1
    print(equal, absent)
    """

  @Test("drgn reads the pages of a kdump file as they are in the dump", .enabled(if: hasDrgn), arguments: codecs)
  func kdump(_ codec: String) throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let core = try entry.path("vmcore.elf.zst")
    try Scratch.withFolder { folder in
      let path = try export(core, ["--kdump", codec], to: folder)
      let result = try Program.run(
        "python3 - \"$1\" \"$2\" 4096 <<'END'\n\(Self.comparison)\nEND", [core, path])
      #expect(result.text == "10000 0\n", "\(result.standardError)")
      let info = try Kva.run(["info", path, "--json"]).object()
      #expect(info["compression"] as? String == (codec == "lzo" ? "LZO" : codec))
      #expect((info["warnings"] as? [Any] ?? []).isEmpty)
    }
  }

  @Test("A kdump file of a filtered dump has the same pages, and no others", .enabled(if: hasDrgn), arguments: codecs)
  func filteredKdump(_ codec: String) throws {
    let entry = try DumpEntry.named("c612-64k52")
    try Scratch.withFolder { folder in
      let path = try export(entry.path("vmcore.d31-zstd"), ["--kdump", codec], to: folder)
      let info = try Kva.run(["info", entry.path("vmcore.d31-zstd"), "--json"]).object()
      let present = try #require(info["pagesPresent"] as? Int)
      let total = try #require(info["pagesTotal"] as? Int)
      let result = try Program.run(
        "python3 - \"$1\" \"$2\" 65536 <<'END'\n\(Self.comparison)\nEND",
        [entry.path("vmcore.elf.zst"), path])
      #expect(result.text == "\(present) \(total - present)\n", "\(result.standardError)")
      let again = try Kva.run(["info", path, "--json"]).object()
      #expect(again["pagesPresent"] as? Int == present && again["dumpLevel"] as? Int == 31)
    }
  }

  private static let codecs = ["zlib", "lzo", "snappy", "zstd"]

  @Test("The bytes of a kdump file do not depend on which core was faster")
  func isReproducible() throws {
    let dump = try DumpEntry.named("c612-64k52").path("vmcore.d31-zstd")
    try Scratch.withFolder { folder in
      let files = try (0..<3).map { _ in
        try Data(contentsOf: URL(fileURLWithPath: export(dump, ["--kdump", "lzo"], to: folder)))
      }
      #expect(files[0] == files[1] && files[1] == files[2])
    }
  }

  // MARK: Cores of processes

  @Test("The core of a process has what its MMU saw")
  func process() throws {
    let dump = try DumpEntry.named("c61-4k48-nokaslr").dump("vmcore.elf.zst")
    let whole = try CoreReader(path: dump.path())
    var compared = 0
    for (cpu, samples) in try dump.entry.mmu().userSamples {
      try Scratch.withFolder { folder in
        let core = try CoreReader(path: export(dump.path(), ["--core", "cpu\(cpu)"], to: folder))
        for sample in samples where !sample.hasTag {
          let start = sample.virtual & ~15
          let wanted = try sample.physical.flatMap { try whole.bytes($0 & ~15, 16) }
          // What is there, and the program must not read, has no address here.
          guard let wanted else { continue }
          let found = try core.bytes(virtual: start, 16)
          #expect(found == wanted, "\(String(sample.virtual, radix: 16)) of CPU \(cpu)")
          compared += 1
        }
      }
    }
    #expect(compared > 10)
  }

  @Test("gdb shows the registers, the files and the vector of a process", .enabled(if: has("gdb-multiarch")))
  func gdbProcess() throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let registers = try entry.registers()[1]
    try Scratch.withFolder { folder in
      let core = try export(entry.path("vmcore.elf.zst"), ["--core", "cpu1"], to: folder)
      let result = try Program.run(
        """
        gdb-multiarch -nx -batch -ex 'set osabi GNU/Linux' -ex "core-file $1" -ex 'p/x $pc' -ex 'p/x $x8' \
          -ex 'info proc mappings' -ex 'info auxv' 2>&1; readelf -a "$1" 2>&1 >/dev/null
        """, [core])
      func register(_ name: String) throws -> String {
        String(try #require(registers[name] ?? registers[name.uppercased()]), radix: 16)
      }
      let (pc, x8) = (try register("pc"), try register("x8"))
      #expect(result.text.contains("$1 = 0x\(pc)\n$2 = 0x\(x8)\n"), "\(result.text)")
      for line in try entry.lines("oracle/holder_maps.txt") where line.contains(" /") {
        let start = String(try parseAddress(String(line.prefix { $0 != "-" })), radix: 16)
        let name = line.split(separator: " ", maxSplits: 5).last.map { $0.trimmingCharacters(in: .whitespaces) }
        #expect(
          result.text.split(separator: "\n").contains { $0.contains("0x\(start) ") && $0.hasSuffix(name ?? "?") },
          "\(line)")
      }
      #expect(result.text.contains("AT_ENTRY") && result.text.contains("AT_NULL"))
      #expect(!result.text.contains("readelf: "))
    }
    let none = try Kva.run(["export", entry.path("vmcore.elf.zst"), "--core", "2", "-o", "/nonexistent/core"])
    #expect(none.status == 1 && none.standardError.contains("is a kernel thread"))
    let unknown = try DumpEntry.named("c612-64k52").path("vmcore.d31-zstd")
    let untyped = try Kva.run(["export", unknown, "--core", "1", "-o", "/nonexistent/core"])
    #expect(untyped.status == 2 && untyped.standardError.contains("vm_area_struct is not known"))
  }

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
