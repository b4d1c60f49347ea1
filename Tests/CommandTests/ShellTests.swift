import Foundation
import TestSupport
import Testing

/// `kva shell`: commands line by line, from a script and at a prompt.
@Suite struct ShellTests {
  @Test("A script's lines answer what the commands do, and crash's names are understood")
  func script() throws {
    let dump = try DumpEntry.named("c61-4k48-nokaslr").path("vmcore.elf")
    let lines: [(entered: String, command: [String])] = [
      ("resolve init_task+8 --walk", ["resolve", "init_task+8", "--walk"]),
      ("vtop init_task", ["resolve", "init_task"]),
      ("read  init_task 16  # its first bytes", ["read", "init_task", "16"]), ("mod", ["modules"]), ("log", ["dmesg"]),
      ("ps --json", ["tasks", "--json"]), ("kmem -v", ["vmalloc"]), ("sys", ["info"]), ("bt", ["stack"]),
      ("sym 'vmalloc_*'", ["symbols", "vmalloc_*"]), ("sym 0xffff8000086fcc40", ["identify", "0xffff8000086fcc40"]),
      (#"identify init_t\ask "0x0""#, ["identify", "init_task", "0x0"]), ("audit", ["audit"]),
    ]
    var wanted = ""
    for line in lines {
      let alone = try Kva.run([line.command[0], dump] + line.command.dropFirst())
      #expect(!alone.text.isEmpty)
      wanted += alone.text
    }
    let shell = try Kva.run(["shell", dump], input: lines.map(\.entered).joined(separator: "\n"))
    #expect(shell.text == wanted)
    #expect(shell.standardError == "")
  }

  @Test("crash's names are understood outside of the shell as well, and by help")
  func crashNames() throws {
    let dump = try DumpEntry.named("c61-4k48-nokaslr").path("vmcore.elf")
    let pairs: [(entered: [String], command: [String])] = [
      (["bt", dump], ["stack", dump]), (["sys", dump, "--json"], ["info", dump, "--json"]),
      (["kmem", "-v", dump], ["vmalloc", dump]), (["kmem", dump, "-v", "--json"], ["vmalloc", dump, "--json"]),
      (["sym", dump, "0xffff8000086fcc40"], ["identify", dump, "0xffff8000086fcc40"]),
      (["sym", dump, "init_task"], ["symbols", dump, "init_task"]), (["help", "bt"], ["help", "stack"]),
      (["help", "kmem"], ["help", "vmalloc"]), (["help", "sys"], ["help", "info"]),
      (["help", "rd"], ["help", "read"]),
    ]
    for pair in pairs {
      let (crash, own) = (try Kva.run(pair.entered), try Kva.run(pair.command))
      #expect(crash.text == own.text && crash.status == own.status && !own.text.isEmpty, "\(pair.entered)")
    }
    let shell = try Kva.run(["shell", dump], input: "help bt\nhelp kmem\n")
    let own = try Kva.run(["shell", dump], input: "help stack\nhelp vmalloc\n")
    #expect(shell.status == 0 && shell.text == own.text)
  }

  @Test("rd counts words as crash does, read counts bytes")
  func counts() throws {
    let dump = try DumpEntry.named("c61-4k48-nokaslr").path("vmcore.elf")
    for (crash, own) in [
      ("rd init_task", "read init_task 8 --words 8"), ("rd init_task 16", "read init_task 128 --words 8"),
      ("rd -32 init_task 0x10", "read init_task 64 --words 4"), ("rd -8 init_task 3", "read init_task 3 --words 1"),
      ("rd -p 0x40832000 2", "read --physical 0x40832000 16 --words 8"),
      ("rd init_task 16 --words 4", "read init_task 16 --words 4"),
      ("rd init_task 2 --json", "read init_task 16 --json"),
    ] {
      let (first, second) = (try Kva.run(["shell", dump], input: crash), try Kva.run(["shell", dump], input: own))
      #expect(first.text == second.text && !second.text.isEmpty && first.standardError == "", "\(crash)")
    }
    // Outside it is a name of read alone.
    #expect(
      try Kva.run(["rd", dump, "init_task", "16"]).text == (try Kva.run(["read", dump, "init_task", "16"]).text))
  }

  @Test("Commands with ; between them, and programs of sh")
  func several() throws {
    try withKernel { path, folder in
      let one = try Kva.run(["resolve", path, "ffff800008005000"]).text
      let file = folder.appendingPathComponent("out").path
      let cases: [(line: String, text: String)] = [
        ("vtop ffff800008005000; vtop ffff800008005000;", one + one), (";;", ""),
        ("!echo a; echo b | tr b c", "a\nc\n"),
        ("vtop ffff800008005000 | (cat; echo ' ;x'); !echo b; echo c", one + " ;x\nb\nc\n"),
        ("vtop ffff800008005000 > \(file); vtop ffff800008005000 | cat", one),
        ("vtop ffff800008005000 # ; vtop 0", one), ("vtop ffff800008005000 | sed 's/.*/;/' ; quit; sys", ";\n"),
        ("  !cat < \(file)", one), ("!exit 3", ""),
      ]
      for test in cases {
        let result = try Kva.run(["shell", path], input: test.line)
        #expect(result.text == test.text, "\(test.line): \(result.text) \(result.standardError)")
      }
      #expect(try Kva.run(["shell", path], input: "rd nowhere; vtop ffff800008005000").status == 1)
    }
  }

  @Test("What crash has and kva has not is answered with what to do instead")
  func missing() throws {
    try withKernel { path, _ in
      for (name, word) in [("dis", "objdump"), ("wr", "only reads"), ("set", "PID"), ("pte", "--walk")] {
        for line in ["\(name) 1", "help \(name)"] {
          let result = try Kva.run(["shell", path], input: line)
          #expect(result.status == 64 && result.text == "" && result.errorLines.count == 1)
          #expect(result.standardError.contains("'\(name)': ") && result.standardError.contains(word))
        }
        let outside = try Kva.run([name, path])
        #expect(outside.status == 64 && outside.standardError.contains(word))
      }
    }
  }

  @Test("At a terminal there are a banner and the commands of the start file; values are completed")
  func begin() throws {
    let dump = try DumpEntry.named("kdump-61-4k48").path("vmcore.d31-zlib")
    try Scratch.withFolder { folder in
      let kva = folder.appendingPathComponent("kva")
      try FileManager.default.createDirectory(at: kva, withIntermediateDirectories: true)
      try "modules loop # first\n".write(to: kva.appendingPathComponent("rc"), atomically: true, encoding: .utf8)
      let terminal = try KvaTerminal(["shell", dump], environment: ["XDG_CONFIG_HOME": folder.path], width: 120)
      let prompt = Self.prompt(dump)
      let banner = try terminal.wait(forPrompt: prompt)
      for words in ["6.1.192-c61-4k48", "sysrq triggered crash", "'help' lists", "loop   0x"] {
        #expect(banner.contains(words), "\(words) in \(banner)")
      }
      try terminal.type("modules ex\t\n")
      _ = try terminal.wait(for: "ext2   0x")
      try terminal.wait(forPrompt: prompt)
      try terminal.type("sys; resolve runqueues@cpu1\t\n")
      _ = try terminal.wait(for: "runqueues@cpu1 = 0x")
      try terminal.wait(forPrompt: prompt)
      try terminal.type("rd init_task 2\n")
      _ = try terminal.wait(for: "rd counts words of 8 bytes here")
      try terminal.wait(forPrompt: prompt)
      try terminal.type("\u{4}")
      #expect(try terminal.finish() == 0)
      #expect(terminal.text.utf8.last == UInt8(ascii: "\n"))
    }
  }

  @Test("Output goes to files and programs")
  func redirection() throws {
    try withKernel { path, folder in
      let (file, other) = (folder.appendingPathComponent("out").path, folder.appendingPathComponent("o t").path)
      let script = """
        vtop ffff800008005000 > \(file)
        vtop ffff800008007000>>\(file)
        vtop ffff800008005000 | sed s/ffff/xxxx/ | cat
        vtop ffff800008005000 --json > '\(other)'
        """
      let result = try Kva.run(["shell", path], input: script)
      #expect(result.status == 0)
      #expect(result.text.hasPrefix("xxxx800008005000"))
      #expect(result.lines.count == 1)
      let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
      #expect(lines.map { $0.prefix(16) } == ["ffff800008005000", "ffff800008007000"])
      #expect(try parseObject(String(contentsOfFile: other, encoding: .utf8))["physical"] as? String == "0x40005000")
      // A program that does not read to the end ends nothing but itself.
      let early = try Kva.run(["shell", path], input: "ptdump | true\nptdump | head -n 1\nvtop ffff800008005000")
      #expect(early.status == 0)
      #expect(early.lines.count == 2)
      #expect(early.standardError == "")
    }
  }

  @Test("A bad line is told on standard error, the next one runs, and the first failure is the exit status")
  func badLines() throws {
    try withKernel { path, folder in
      let cases: [(line: String, status: Int32, word: String)] = [
        ("nonsense", 64, "help"), ("vtop", 64, "arguments"), ("vtop 0 --nonsense", 64, "--nonsense"),
        ("| cat", 64, "'|'"), ("vtop 0 |", 64, "'|'"), ("vtop 0 > a b", 64, "'>'"), ("vtop 'a", 64, "quote"),
        ("vtop a\\", 64, "'\\'"), ("vtop 0 --vmlinux x", 64, "when kva starts"), ("help nonsense", 64, "nonsense"),
        ("batch", 64, "'batch'"), ("info more", 64, "more"),
        ("vtop 0 > \(folder.path)/no/file", 2, "cannot be written"),
        ("vtop 0 > /dev/full", 2, "cannot be written"), ("rd nowhere", 1, "nowhere"),
      ]
      for bad in cases {
        let result = try Kva.run(["shell", path], input: "\(bad.line)\nvtop ffff800008005000\n\n# end\n")
        #expect(result.status == bad.status, "\(bad.line)")
        #expect(
          result.text.hasPrefix("ffff800008005000 = 0xffff800008005000 -> 0x40005000"), "\(bad.line): \(result.text)")
        #expect(result.errorLines.count == 1, "\(bad.line): \(result.standardError)")
        #expect(result.standardError.hasPrefix("kva: "))
        #expect(result.standardError.contains(bad.word), "\(bad.line): \(result.standardError)")
      }
      let help = try Kva.run(["shell", path], input: "help\nhelp read\nvtop --help\nquit\nnonsense\n")
      #expect(help.status == 0)
      #expect(help.standardError == "")
      for word in ["resolve, vtop", "--words", "--walk"] { #expect(help.text.contains(word)) }
      #expect(try Kva.run(["shell", "/nonexistent/vmcore"], input: "help\n").status == 2)
    }
  }

  @Test("At a terminal there are a prompt, editing, completion, and lines that are kept")
  func terminal() throws {
    let dump = try DumpEntry.named("c61-4k48-nokaslr").path("vmcore.elf")
    try Scratch.withFolder { folder in
      let history = folder.appendingPathComponent("history").path
      let terminal = try KvaTerminal(["shell", dump], environment: ["KVA_HISTORY": history])
      try terminal.wait(forPrompt: Self.prompt(dump))
      try terminal.type("swapper\u{3}")
      try terminal.wait(forPrompt: Self.prompt(dump))
      // A command, a symbol and an option are completed.
      try terminal.type("ident\tswapper_pg_d\t--js\t\n")
      let answer = try terminal.wait(for: "\"kind\":\"page table\"")
      #expect(answer.contains(#""query":"swapper_pg_dir""#))
      try terminal.wait(forPrompt: Self.prompt(dump))
      // The line before, and its last letters taken off.
      try terminal.type("\u{1b}[A\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\n")
      _ = try terminal.wait(for: "physical    0x40832000")
      try terminal.wait(forPrompt: Self.prompt(dump))
      // A value of an option, a symbol of a module.
      try terminal.type("ptdump --format k\t| head -n 1\n")
      _ = try terminal.wait(for: "---[ ")
      try terminal.wait(forPrompt: Self.prompt(dump))
      try terminal.type("resolve fuse:flush_bg_q\t\n")
      _ = try terminal.wait(for: "fuse:flush_bg_queue = 0xffff8000003c60e0")
      try terminal.wait(forPrompt: Self.prompt(dump))
      try terminal.type("\u{4}")
      #expect(try terminal.finish() == 0)
      // What comes next, as the prompt of sh(1), begins a line.
      #expect(terminal.text.utf8.last == UInt8(ascii: "\n"))
      let kept = try String(contentsOfFile: history, encoding: .utf8)
      #expect(kept.contains("identify"))
      #expect(!kept.contains("swapper\n"))
    }
  }

  @Test("Ctrl-C ends a command's output and the shell goes on")
  func interrupt() throws {
    let dump = try DumpEntry.named("c61-4k48-nokaslr").path("vmcore.elf")
    let terminal = try KvaTerminal(["shell", dump])
    try terminal.wait(forPrompt: Self.prompt(dump))
    // The program waits for a line that never comes.
    try terminal.type("log | (read a; echo waits; sleep 1000)\n")
    _ = try terminal.wait(for: "waits\r\n")
    try terminal.type("\u{3}")
    try terminal.wait(forPrompt: Self.prompt(dump))
    try terminal.type("vtop swapper_pg_dir\n")
    _ = try terminal.wait(for: "-> 0x40832000")
    try terminal.type("exit\n")
    #expect(try terminal.finish() == 0)
  }

  @Test("A command whose output nobody takes any more ends, whatever it still had to do")
  func endsAtOnce() throws {
    let dump = try DumpEntry.named("c61-4k48-nokaslr").path("vmcore.elf")
    // Behind the image there are billions of pages to look for, which takes hours.
    let endless = "read _stext 0x500000000000"
    let terminal = try KvaTerminal(["shell", dump])
    try terminal.wait(forPrompt: Self.prompt(dump))
    try terminal.type("\(endless)\n")
    _ = try terminal.wait(for: "ffff800008010100 ")
    try terminal.type("\u{3}")
    try terminal.wait(forPrompt: Self.prompt(dump))
    try terminal.type("exit\n")
    #expect(try terminal.finish() == 0)
    let early = try Kva.run(["shell", dump], input: "\(endless) | head -n 1\n\(endless) --json | true\nvtop _stext")
    #expect(early.status == 0)
    #expect(early.lines.count == 2)
    #expect(early.standardError == "")
    let full = try Kva.run(["shell", dump], input: "\(endless) > /dev/full")
    #expect(full.status == 2)
    #expect(full.errorLines.count == 1 && full.standardError.contains("No space left"), "\(full.standardError)")
  }

  private func withKernel(_ body: (String, URL) throws -> Void) throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try HandmadeKernel().core.write(to: path)
      try body(path, folder)
    }
  }

  private static func prompt(_ dump: String) -> String { "kva \(URL(fileURLWithPath: dump).lastPathComponent)> " }
}
