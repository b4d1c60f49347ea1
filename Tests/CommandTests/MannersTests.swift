import Foundation
import TestSupport
import Testing

/// How the command behaves among people and other programs.
@Suite struct MannersTests {
  /// The commands that `kva --help` lists.
  static let commands: [String] = {
    let lines = (try? Kva.run(["--help"]).lines) ?? []
    return lines.drop { $0 != "SUBCOMMANDS:" }.dropFirst().compactMap { line in
      guard line.hasPrefix("  "), !line.hasPrefix("   "), !line.hasPrefix("  See") else { return nil }
      return line.split(whereSeparator: { $0 == " " || $0 == "," }).first.map(String.init)
    }
  }()

  @Test("kva alone says what to begin with")
  func orientation() throws {
    let result = try Kva.run([])
    #expect(result.status == 0)
    #expect(result.standardError == "")
    #expect(result.lines.count <= 12)
    for word in ["kva info DUMP", "kva resolve DUMP", "kva shell DUMP", "--help"] {
      #expect(result.text.contains(word))
    }
  }

  @Test("The help of each command has two examples, which name the command")
  func examples() throws {
    #expect(Self.commands.count >= 17)
    for command in Self.commands {
      let help = try Kva.run([command, "--help"]).text
      #expect(help.components(separatedBy: "Example: ").count >= 3, "\(command)")
      #expect(help.components(separatedBy: "kva \(command)").count >= 3, "\(command)")
    }
  }

  @Test("Help shows a command's own options before those of every command")
  func ownFirst() throws {
    for command in Self.commands {
      let lines = try Kva.run([command, "--help"]).lines
      let own = try #require(lines.firstIndex(of: "OPTIONS:"), "\(command)")
      // drgn prints what it prints.
      let isShown = command != "drgn"
      let common = try #require(lines.firstIndex(of: isShown ? "OUTPUT OPTIONS:" : "DUMP OPTIONS:"), "\(command)")
      #expect(own < common)
      #expect(lines[common...].contains { $0.hasPrefix("  --json ") } == isShown)
      #expect(try Kva.run(["help", command]).lines == lines)
    }
    let lines = try Kva.run(["tasks", "--help"]).lines
    #expect(
      try #require(lines.firstIndex { $0.hasPrefix("  --state") })
        < (try #require(lines.firstIndex { $0.hasPrefix("  --json") })))
    #expect(try Kva.run(["help", "ps"]).lines == lines)
  }

  @Test("Completion scripts know every command and complete the dump as a file", arguments: ["bash", "zsh", "fish"])
  func completion(_ shell: String) throws {
    let script = try Kva.run(["--generate-completion-script", shell])
    #expect(script.status == 0)
    for command in Self.commands { #expect(script.text.contains(command), "\(command)") }
    let files = ["bash": "__kva_add_completions -f", "zsh": ":dump:_files", "fish": "-F"]
    #expect(script.text.contains(try #require(files[shell])))
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("completion").path
      try script.output.write(to: URL(fileURLWithPath: path))
      // A shell that is not installed cannot say anything of it.
      let check = try Program.run("command -v \(shell) >/dev/null || exit 0; \(shell) -n \"$1\"", [path])
      #expect(check.status == 0, "\(check.standardError)")
    }
  }

  @Test("Words are coloured on a terminal, unless NO_COLOR is set, and nowhere else")
  func colour() throws {
    try withKernel { path in
      let arguments = ["resolve", path, "ffff800008006000"]
      #expect(!(try Kva.run(arguments).text.contains("\u{1b}")))
      for (environment, isColoured) in [
        ([:], true), (["NO_COLOR": "1"], false), (["NO_COLOR": ""], true), (["TERM": "dumb"], false),
      ] as [([String: String], Bool)] {
        let terminal = try KvaTerminal(arguments, environment: environment)
        #expect(try terminal.finish() == 1)
        #expect(terminal.text.contains("\u{1b}[1;31munmapped\u{1b}[m") == isColoured, "\(environment)")
        #expect(terminal.text.contains("\u{1b}") == isColoured)
      }
      let json = try KvaTerminal(arguments + ["--json"])
      #expect(try json.finish() == 1)
      #expect(!json.text.contains("\u{1b}"))
    }
  }

  @Test("A pager is started if asked for and on a terminal")
  func pager() throws {
    try withKernel { path in
      let pager = ["PAGER": "sed s/ffff/paged/"]
      let arguments = ["resolve", path, "ffff800008005000", "--pager"]
      let paged = try KvaTerminal(arguments, environment: pager)
      #expect(try paged.finish() == 0)
      #expect(paged.text.hasPrefix("paged800008005000"))
      let plain = try KvaTerminal(arguments.dropLast(), environment: pager)
      #expect(try plain.finish() == 0)
      #expect(plain.text.hasPrefix("ffff800008005000"))
      #expect(try Kva.run(arguments).text.hasPrefix("ffff800008005000"))
    }
  }

  @Test("Ctrl-C ends a long scan by the signal")
  func interrupt() throws {
    try Scratch.withFolder { folder in
      // 8 GiB without a kernel in them: two pages by turns, each to be unpacked again.
      let path = folder.appendingPathComponent("memory").path
      let count: UInt64 = 1 << 17
      var generator = SeededGenerator(seed: 1)
      var writer = KdumpWriter(frameCount: count)
      writer.blockSize = 64 << 10
      let stored = (0..<2).map { _ in
        KdumpCodec.zlib.pack((0..<writer.blockSize).map { _ in UInt8.random(in: 0..<16, using: &generator) })
      }
      let start = writer.descriptorsOffset + 24 * count + writer.blockSize
      for frame in 0..<count {
        let page = Int(frame % 2)
        writer.pages[frame] =
          frame < 2
          ? .stored(stored[page], flags: KdumpCodec.zlib.flag)
          : .described(
            offset: start + UInt64(page * stored[0].count), size: UInt32(stored[page].count),
            flags: KdumpCodec.zlib.flag)
      }
      try writer.write(to: path)
      let terminal = try KvaTerminal(["info", path])
      // It tells how far it is.
      _ = try terminal.wait(for: "%")
      try terminal.type("\u{3}")
      #expect(try terminal.finish() == 128 + SIGINT)
    }
  }

  @Test("A reader that goes away ends it quietly")
  func brokenPipe() throws {
    let dump = try DumpEntry.named("c61-4k48-nokaslr").path("vmcore.elf")
    let result = try Program.run("\"$1\" symbols \"$2\" | head -n 1; echo ${PIPESTATUS[0]}", [Kva.path, dump])
    #expect(result.lines.count == 2)
    #expect(result.lines.last == "141")
    #expect(result.standardError == "")
  }

  private func withKernel(_ body: (String) throws -> Void) throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try HandmadeKernel().core.write(to: path)
      try body(path)
    }
  }
}
