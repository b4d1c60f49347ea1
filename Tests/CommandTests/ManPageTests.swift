import Foundation
import TestSupport
import Testing

/// What the manual pages show can be typed.
@Suite struct ManPageTests {
  static let pages: [String] = {
    let folder = Checkout.root.appendingPathComponent("man").path
    return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasPrefix("kva") }
      .sorted()
  }()

  // The tutorial's have a suite of their own, which looks at what they print as well.
  @Test(
    "Each example runs, and finds what it asks for or says that it is not there",
    arguments: pages.filter { $0 != "kva-tutorial.7" })
  func examples(_ page: String) throws {
    let source = try String(contentsOf: Checkout.root.appendingPathComponent("man/\(page)"), encoding: .utf8)
    let commands = Self.commands(in: source)
    #expect(!commands.isEmpty)
    // The pages that show a vmlinux need the dump that there is one of.
    let showsVmlinux = ["kva-resolve.1", "kva-gdbserver.1"].contains(page)
    let entry = try DumpEntry.named(showsVmlinux ? "c612-64k52" : "c61-4k48-nokaslr")
    try Scratch.withFolder { folder in
      var script = "set -o pipefail\nPATH=$1:$PATH\ncd \"$2\" || exit 9\n"
      var files = ["vmcore": try entry.path("vmcore.elf"), "a.vmcore": try entry.path("vmcore.elf")]
      if showsVmlinux { files["vmlinux"] = try entry.path("vmlinux") }
      for (name, path) in files {
        try FileManager.default.createSymbolicLink(
          atPath: folder.appendingPathComponent(name).path, withDestinationPath: path)
      }
      try "0xffff800008000000\ninit_task\n".write(
        to: folder.appendingPathComponent("pointers.txt"), atomically: true, encoding: .utf8)
      let hasJq = try Program.run("command -v jq", []).status == 0
      for (number, command) in commands.enumerated() where hasJq || !command.contains("jq") {
        // These wait for a person, or for a client, or need Python's drgn.
        let starts = ["gdb-multiarch", "lldb", "drgn", "kva drgn"]
        if starts.contains(where: command.hasPrefix) || command.hasSuffix("&") { continue }
        // 141: the reader of a pipe had seen enough.
        script += "\(command)\nstatus=$?\n"
        script += "case $status in 0|1|141) ;; *) echo \"example \(number): status $status\" >&2; exit 9 ;; esac\n"
      }
      let products = (Kva.path as NSString).deletingLastPathComponent
      let result = try Program.run(script, [products, folder.path])
      #expect(result.status == 0, "\(result.standardError)")
      #expect(!result.standardError.contains("Usage:"), "\(result.standardError)")
      #expect(!result.output.isEmpty || ["kva-ptdump.1", "kva-gdbserver.1", "kva-drgn.1"].contains(page))
    }
  }

  /// The lines behind `$ ` of the section EXAMPLES, with those behind `> ` or a backslash that belong to them.
  static func commands(in source: String) -> [String] {
    var commands: [String] = []
    var isInside = false
    var goesOn = false
    for line in source.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix(".Sh ") { isInside = line == ".Sh EXAMPLES" }
      guard isInside else { continue }
      var text = String(line.hasPrefix(".Dl ") ? line.dropFirst(4) : line)
      if text.hasPrefix("$ ") {
        commands.append("")
        text.removeFirst(2)
      } else if text.hasPrefix("> "), !commands.isEmpty {
        commands[commands.count - 1] += "\n"
        text.removeFirst(2)
      } else if goesOn {
        commands[commands.count - 1] += "\n"
      } else {
        continue
      }
      text = text.replacingOccurrences(of: "\\&", with: "").replacingOccurrences(of: "\\e", with: "\\")
      goesOn = text.hasSuffix("\\")
      commands[commands.count - 1] += text
    }
    return commands
  }

  @Test("Each page is clean mdoc, where mandoc is there to say so")
  func lint() throws {
    let folder = Checkout.root.appendingPathComponent("man").path
    let result = try Program.run(
      "command -v mandoc >/dev/null || exit 0; cd \"$1\" && mandoc -T lint -W warning kva*.[157]", [folder])
    #expect(result.status == 0, "\(result.text)")
  }
}
