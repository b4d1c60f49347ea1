import Foundation
import TestSupport
import Testing

/// The text of every command as a person sees it, on two dumps and terminals of 80 and 200 columns, against what was
/// stored when a person last read it.
///
/// `KVA_WRITE_SNAPSHOTS=1 swift test --filter SnapshotTests` stores it anew; read the difference before you commit it.
@Suite struct SnapshotTests {
  /// A dump, and a width.
  struct Terminal: Sendable, CustomStringConvertible {
    let entry: String
    let file: String
    let width: UInt16
    var description: String { "\(entry)-\(width)" }
    var stored: URL { Checkout.root.appendingPathComponent("Tests/Snapshots/\(description).txt") }
  }

  static let terminals = [("c61-4k48-nokaslr", "vmcore.d31-snappy"), ("c612-64k52", "vmcore.d31-zstd")].flatMap {
    dump in
    [80, 200].map { Terminal(entry: dump.0, file: dump.1, width: $0) }
  }

  /// Lines of an answer that are kept.
  private static let most = 40

  /// What is asked, with `vmcore` for the dump: names and addresses that both dumps have.
  static let questions = [
    "info vmcore", "info vmcore -v", "regions vmcore", "regions vmcore -v", "report vmcore", "audit vmcore",
    "tasks vmcore", "tasks vmcore --tree", "tasks vmcore init", "tasks vmcore --state D", "stack vmcore",
    "stack vmcore 1", "modules vmcore", "modules vmcore fuse", "vmalloc vmcore", "vmalloc vmcore --min 64K --sort size",
    "dmesg vmcore --since -1", "dmesg vmcore --level warn+", "dmesg vmcore --grep fuse",
    "symbols vmcore vmalloc_*", "symbols vmcore --regex ^init_t --type D", "ptdump vmcore --region kernel-image",
    "ptdump vmcore --region vmemmap", "resolve vmcore init_task --walk --verify", "resolve vmcore 0xdead nosuch",
    "identify vmcore init_task", "identify vmcore 0xdead000000000122", "read vmcore init_uts_ns 40",
    "read vmcore init_uts_ns 64 --words 8", "rmap vmcore 0x40a00000", "fault vmcore", "maps vmcore 1", "mounts vmcore",
    "type vmcore list_head", "slab vmcore", "print vmcore init_task.comm",
    "list vmcore task_struct.tasks init_task.tasks", "tree vmcore idr pid init_pid_ns.idr --print level",
    "files vmcore 1", "page vmcore init_task", "page vmcore --summary", "export vmcore --symbols -o kernel.sym",
    "export vmcore --physical -o vmcore.elf", "export vmcore -o vmcore --virtual",
    "export vmcore --kdump zstd -o vmcore.kdump", "export vmcore --core 1 -o init.core", "gdbserver vmcore --init lldb",
    "drgn vmcore --python /no/python", "view vmcore", "view vmcore -o vmcore", "diff vmcore vmcore",
    "diff vmcore nosuch",
    "layout --kernel 5.11 --page-size 64K --va-bits 52",
    "layout --kernel 6.12 --page-size 4K --va-bits 48", "fault --esr 0x96000047 --far 0xffff800080787e10",
    "search vmcore init_task --region kernel-image --limit 8",
    "search vmcore init_task --pointer --region kernel-image --limit 8", "read vmcore init_uts_ns --type uts_namespace",
    "bogus vmcore",
    "tasks --help", "resolve --help", "batch --help", "shell --help", "mcp --help",
  ]

  @Test("Every command that has a page is among the questions")
  func commands() throws {
    let pages = try FileManager.default.contentsOfDirectory(atPath: Checkout.root.appendingPathComponent("man").path)
      .filter { $0.hasPrefix("kva-") && $0.hasSuffix(".1") }.map { String($0.dropFirst(4).dropLast(2)) }
    #expect(pages.count > 20)
    let asked = Set(Self.questions.compactMap { $0.split(separator: " ").first.map(String.init) })
    #expect(pages.filter { !asked.contains($0) } == [])
  }

  private func shown(_ terminal: Terminal, _ question: String, _ folder: URL) throws -> String {
    let words = question.split(separator: " ").map(String.init)
    let kva = try KvaTerminal(words, environment: ["NO_COLOR": "1"], width: terminal.width, folder: folder.path)
    let status = try kva.finish()
    var lines = kva.text.components(separatedBy: "\r\n")
    if lines.last?.isEmpty ?? false { lines.removeLast() }
    let rest = lines.count - Self.most
    if rest > 1 { lines = lines.prefix(Self.most) + ["... and \(rest) lines"] }
    return (["$ kva \(question)"] + lines + (status == 0 ? [] : ["[status \(status)]"])).joined(separator: "\n")
  }

  @Test("The text of every command is what was stored", arguments: terminals)
  func text(_ terminal: Terminal) throws {
    try Scratch.withFolder { folder in
      let dump = try DumpEntry.named(terminal.entry).path(terminal.file)
      try FileManager.default.createSymbolicLink(
        at: folder.appendingPathComponent("vmcore"), withDestinationURL: URL(fileURLWithPath: dump))
      let answers = try Self.questions.map { try shown(terminal, $0, folder) }
      // The kernel's own format is not folded.
      for answer in answers where !answer.hasPrefix("$ kva maps ") {
        // Nothing is broken by the terminal but a word that is longer than a line.
        for line in answer.split(separator: "\n").dropFirst() where line.count > Int(terminal.width) {
          #expect(line.drop { $0 == " " }.split(separator: " ").count == 1, "\(line)")
        }
      }
      let text = answers.joined(separator: "\n\n") + "\n"
      if ProcessInfo.processInfo.environment["KVA_WRITE_SNAPSHOTS"] != nil {
        try FileManager.default.createDirectory(
          at: terminal.stored.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: terminal.stored, atomically: true, encoding: .utf8)
        return
      }
      let stored = try String(contentsOf: terminal.stored, encoding: .utf8)
      let kept = stored.dropLast().components(separatedBy: "\n\n$ kva ").map { $0.hasPrefix("$") ? $0 : "$ kva " + $0 }
      for (answer, old) in zip(answers, kept) { #expect(answer == old) }
      #expect(answers.count == kept.count)
    }
  }
}
