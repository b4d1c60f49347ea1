import Foundation
import TestSupport
import Testing

private let hasGDB =
  ProcessInfo.processInfo.environment["CI"] != nil
  || (try? Program.run("command -v gdb-multiarch", []).status == 0) ?? false

/// Debian's gdb on every kind of dump, by the symbols that kva writes; it is there wherever `.ci/run` runs.
@Suite(.enabled(if: hasGDB)) struct GDBClientTests {
  /// Whole dumps: of 4K pages, QEMU's kdump, filtered, 64K, LPA2, and with everything that QEMU's processor has.
  static let dumps = [
    ("c61-4k48-nokaslr", "vmcore.elf.zst"), ("c61-4k48-nokaslr", "vmcore.kdump-zlib"),
    ("c61-4k48-nokaslr", "vmcore.d31-snappy"), ("c612-64k52", "vmcore.elf.zst"), ("c612-64k52", "vmcore.d31-zstd"),
    ("deb73-4k52-rich", "vmcore.elf.zst"), ("c612-4k48-rich-max", "vmcore.elf.zst"),
  ]

  /// The entry; nil where the corpus is not at hand and has the only one.
  private func entry(_ name: String, _ file: String) -> DumpEntry? {
    (DumpEntry.testData + DumpEntry.corpus).first { $0.name == name && $0.has(file) }
  }

  /// What gdb prints that is connected to `dump` by the script of `--init`.
  private func gdb(_ dump: String, symbols: Bool, _ commands: String) throws -> String {
    try Scratch.withFolder { folder in
      let result = try Program.run(
        """
        "$1" gdbserver "$2" --no-debuginfo --init gdb > "$3/init" || exit 1
        \(symbols ? "\"$1\" export \"$2\" --no-debuginfo --symbols -o \"$3/symbols\" > /dev/null || exit 1" : ":")
        cat > "$3/commands" <<'END'
        \(symbols ? "symbol-file SYMBOLS" : "")
        \(commands)
        END
        sed -i "s|SYMBOLS|$3/symbols|" "$3/commands"
        gdb-multiarch -nx -batch -x "$3/init" -x "$3/commands" 2> "$3/errors" || { cat "$3/errors"; exit 1; }
        """, [Kva.path, dump, folder.path])
      try #require(result.status == 0, "\(result.text.suffix(800))")
      return result.text
    }
  }

  /// Commands that choose the thread with that number in the protocol.
  private func choose(_ id: Int) -> String {
    "python gdb.execute('thread %d' % [t.num for t in gdb.selected_inferior().threads() if \(id) in t.ptid][0])\n"
  }

  /// A name without the number of a clone, which gdb takes for an argument.
  private func plain(_ name: String) -> String {
    name.replacing(/(\.(?:constprop|isra|part|cold))\.\d+/) { String($0.1) }
  }

  @Test("Threads, text, code and the stacks of twenty tasks, without a vmlinux", arguments: dumps)
  func traces(_ name: String, _ file: String) throws {
    guard let entry = entry(name, file) else { return }
    let path = try entry.path(file)
    let stacks = try Kva.run(["stack", path, "--no-debuginfo", "--all", "--json"]).objects()
    let sleeping = stacks.filter {
      $0["running"] as? Bool == false && ($0["frames"] as? [Any])?.count ?? 0 > 3 && $0["pid"] as? Int != 0
    }.prefix(20)
    #expect(sleeping.count == 20)
    var commands = "printf \"%s\", (char *) &linux_banner\nx/i &cpu_do_idle\ninfo threads\n"
    for stack in sleeping {
      let pid = try #require(stack["pid"] as? Int)
      commands += choose(10_000_000 + pid) + "printf \"== \(pid)\\n\"\nbt\n"
    }
    let text = try gdb(path, symbols: true, commands)
    let release = try #require(try entry.vmcoreinfo()["OSRELEASE"])
    #expect(text.contains("Linux version \(release) ") && text.contains("<cpu_do_idle>:"))
    // Of each process of the guest's own list that lives on there is a thread with its name.
    var found = 0
    for line in try entry.lines("oracle/ps.txt") {
      let words = line.split(separator: " ").map(String.init)
      guard let pid = words.first.flatMap({ Int($0) }), let last = words.last, last.hasPrefix("[k"),
        !last.hasPrefix("[kworker")
      else { continue }
      let comm = last.trimmingCharacters(in: ["[", "]"]).prefix(15)
      #expect(text.contains("\"\(comm)-\(pid)\""), "\(line)")
      found += 1
    }
    #expect(found > 4)
    let parts = text.components(separatedBy: "== ").dropFirst()
    #expect(parts.count == 20)
    for part in parts {
      let pid = part.split(separator: "\n").first.flatMap { Int($0) }
      // What follows is the frame that selecting the next thread shows.
      let shown = part.components(separatedBy: "[Switching")[0].split(separator: "\n").filter { $0.hasPrefix("#") }
        .compactMap { $0.components(separatedBy: " in ").last?.split(separator: " ").first.map { plain(String($0)) } }
      let stack = sleeping.first { $0["pid"] as? Int == pid }
      let wanted = (stack?["frames"] as? [[String: Any]])?.compactMap { ($0["symbol"] as? String).map { plain($0) } }
      #expect(shown == wanted, "PID \(pid ?? -1)")
    }
  }

  @Test(
    "The registers of each CPU are those that the machine held",
    arguments: dumps + [("deb612-16k", "vmcore.tables.elf.zst"), ("deb612-4k", "vmcore.tables.elf.zst")])
  func registers(_ name: String, _ file: String) throws {
    // Only ELF cores have them all: QEMU's kdump has those of the notes.
    guard let entry = entry(name, file) else { return }
    let held = try entry.registers()
    var commands = ""
    for cpu in held.indices {
      commands += choose(cpu + 1) + "printf \"== %lx %lx %lx %lx\\n\", $pc, $sp, $x19, $x29\n"
    }
    let lines = try gdb(entry.path(file), symbols: false, commands).split(separator: "\n").filter {
      $0.hasPrefix("== ")
    }
    #expect(lines.count == held.count)
    for (line, values) in zip(lines, held) {
      let wanted = try ["pc", "sp", "x19", "x29"].map { name in
        String(try #require(values[name] ?? values[name.uppercased()]), radix: 16)
      }
      #expect(line == "== " + wanted.joined(separator: " "))
    }
  }

  @Test("The user memory of the actors is theirs", arguments: ["c612-4k48-rich-max", "deb73-4k52-rich"])
  func userMemory(_ name: String) throws {
    guard let entry = entry(name, "vmcore.elf.zst") else { return }
    // By /proc/PID/maps: where the program begins, an ELF file.
    var starts: [(pid: Int, address: String)] = []
    var actor: Int?
    for line in try entry.lines("oracle/rich/maps.txt") {
      let words = line.split(separator: " ").map(String.init)
      if words.first == "==" {
        actor = words.count > 2 && words[2].hasPrefix("act-") ? Int(words[1]) : nil
      } else if let actor, words.count > 5, words[1] == "r-xp", Int(words[2], radix: 16) == 0,
        words[5].hasPrefix("/")
      {
        starts.append((actor, String(words[0].prefix { $0 != "-" })))
      }
    }
    #expect(Set(starts.map(\.pid)).count > 3)
    let commands = starts.map { start in
      choose(10_000_000 + start.pid)
        + "python print('== ' + gdb.selected_inferior().read_memory(0x\(start.address), 4).tobytes().hex())\n"
    }
    let text = try gdb(entry.path("vmcore.elf.zst"), symbols: false, commands.joined())
    let lines = text.split(separator: "\n").filter { $0.hasPrefix("== ") }
    #expect(lines.count == starts.count)
    for (line, start) in zip(lines, starts) { #expect(line == "== 7f454c46", "\(start)") }
  }
}
