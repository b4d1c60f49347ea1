import Foundation
import TestSupport
import Testing

/// What a person sees on a terminal: headers, and lines folded between words.
@Suite struct TerminalTextTests {
  private static let name = "c61-4k48-nokaslr"
  static let commands: [[String]] = [
    ["info"], ["info", "-v"], ["regions"], ["regions", "-v"], ["tasks"], ["tasks", "--tree"], ["modules"],
    ["modules", "fuse"], ["vmalloc"], ["ptdump"], ["audit"], ["report"],
    ["resolve", "init_task", "--walk", "--verify"],
    ["identify", "init_task"], ["read", "init_task", "40"], ["rmap", "0x40832000"], ["stack"], ["dmesg"],
  ]

  private func shown(_ words: [String], width: UInt16) throws -> [String] {
    let path = try DumpEntry.named(Self.name).path("vmcore.elf")
    let terminal = try KvaTerminal([words[0], path] + words.dropFirst(), environment: ["NO_COLOR": "1"], width: width)
    _ = try terminal.finish()
    return terminal.text.replacingOccurrences(of: "\r\n", with: "\n").split(separator: "\n").map(String.init)
  }

  @Test("No line is longer than the terminal but for a word that is, and folding loses nothing", arguments: commands)
  func folding(_ words: [String]) throws {
    let (narrow, wide) = (try shown(words, width: 80), try shown(words, width: 4000))
    for line in narrow where line.count > 80 {
      #expect(line.drop { $0 == " " }.split(separator: " ").count == 1, "\(line)")
    }
    // The same words in the same order: what a fold adds are blanks. The bar and the bytes apart have other widths.
    guard !["regions", "read"].contains(words[0]) else { return }
    func all(_ lines: [String]) -> [Substring] { lines.flatMap { $0.split(separator: " ") } }
    #expect(all(narrow) == all(wide))
  }

  @Test("Tables have headers on a terminal and with --header, and are otherwise the same")
  func headers() throws {
    let path = try DumpEntry.named(Self.name).path("vmcore.elf")
    for (command, header) in [
      ("tasks", "PID PPID TGID UID CPU S START TASK COMMAND"), ("modules", "MODULE ADDRESS SIZE REFS TAINT USED BY"),
      ("vmalloc", "START-END (INCLUSIVE) SIZE PAGES CALLER AND FLAGS"),
      ("ptdump", "START-END (INCLUSIVE) SIZE PHYSICAL L ACCESS REGION"),
      ("regions", "START-END (INCLUSIVE) SIZE MAPPED REGION"),
    ] {
      func words(_ line: String?) -> String { (line ?? "").split(separator: " ").joined(separator: " ") }
      let plain = try Kva.run([command, path]).lines
      let with = try Kva.run([command, path, "--header"]).lines
      #expect(words(with.first) == header)
      #expect(plain.map { words($0) } == with.dropFirst().map { words($0) })
      #expect(words(try shown([command], width: 200).first).hasPrefix(header))
    }
  }

  @Test("A header stands over its column")
  func columns() throws {
    let lines = try shown(["tasks"], width: 80)
    let header = try #require(lines.first)
    let task = try #require(header.range(of: "TASK")).lowerBound.utf16Offset(in: header)
    let pid = try #require(header.range(of: "PID")).upperBound.utf16Offset(in: header)
    for line in lines.dropFirst() {
      #expect(line.dropFirst(task).hasPrefix("0xffff") && line.dropFirst(task - 1).first == " ")
      #expect(Int(line.prefix(pid).drop { $0 == " " }) != nil && line.dropFirst(pid).first == " ")
    }
  }

  @Test("COLUMNS overrides the terminal's width, and a terminal that does not know its own has no folds")
  func width() throws {
    let path = try DumpEntry.named(Self.name).path("vmcore.elf")
    for (columns, width, longest) in [("60", 200, 60), ("", 70, 70), ("0", 70, 70), ("x", 70, 70)]
      as [(String, UInt16, Int)]
    {
      let terminal = try KvaTerminal(["info", path], environment: ["COLUMNS": columns, "NO_COLOR": "1"], width: width)
      #expect(try terminal.finish() == 0)
      let lines = terminal.text.components(separatedBy: "\r\n")
      #expect(lines.allSatisfy { $0.count <= longest } && lines.contains { $0.count > longest - 10 }, "\(columns)")
    }
    let unknown = try KvaTerminal(["info", path], environment: ["NO_COLOR": "1"])
    #expect(try unknown.finish() == 0)
    #expect(unknown.text.replacingOccurrences(of: "\r\n", with: "\n") == (try Kva.run(["info", path]).text))
  }

  @Test("--color overrides the terminal and the environment; JSON has none")
  func colour() throws {
    let path = try DumpEntry.named(Self.name).path("vmcore.elf")
    let words = ["resolve", path, "nosuch"]
    #expect(try Kva.run(words + ["--color", "always"]).text.contains("\u{1b}[1;31munknown-symbol\u{1b}[m"))
    #expect(!(try Kva.run(words + ["--color", "always", "--json"]).text.contains("\u{1b}")))
    let never = try KvaTerminal(words + ["--color", "never"], width: 80)
    #expect(try never.finish() == 1)
    #expect(!never.text.contains("\u{1b}"))
    #expect(try Kva.run(words + ["--color", "sometimes"]).status == 64)
  }

  @Test("KVA_PAGER shows every command on a terminal, and nothing elsewhere")
  func pager() throws {
    let path = try DumpEntry.named(Self.name).path("vmcore.elf")
    let terminal = try KvaTerminal(
      ["modules", path], environment: ["KVA_PAGER": "sed s/fuse/paged/", "PAGER": "false"], width: 80)
    #expect(try terminal.finish() == 0)
    #expect(terminal.text.contains("paged"))
    let other = try Program.run("KVA_PAGER='sed s/fuse/paged/' \"$1\" modules \"$2\"", [Kva.path, path])
    #expect(other.text.contains("fuse") && !other.text.contains("paged"))
  }
}
