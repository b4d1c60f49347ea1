import Foundation
import TestSupport
import Testing

/// The codes beside the texts of warnings, messages, doubts and errors, and the command's advice behind them.
struct DiagnosticCodeTests {
  private func withDump(_ change: (inout HandmadeKernel) -> Void = { _ in }, _ body: (String) throws -> Void) throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      var kernel = HandmadeKernel()
      change(&kernel)
      try kernel.core.write(to: path)
      try body(path)
    }
  }

  @Test(
    "Messages of resolve, with what to do",
    arguments: [
      ("0x400000", "user-address", "--ttbr0"), ("no_such_name", "no-such-symbol", "--vmlinux"),
      ("a b", "query-malformed", nil), ("0xfff7ffffffffffff", "not-canonical", nil), ("$x99", "no-such-register", nil),
      ("nothing:at_all", "type-unknown", "--vmlinux"),
    ] as [(String, String, String?)])
  func messages(_ query: String, _ code: String, _ advice: String?) throws {
    try withDump { path in
      let answer = try #require(try Kva.run(["resolve", path, query, "--json"]).objects().first)
      #expect(answer["messageCode"] as? String == code, "\(answer)")
      let message = try #require(answer["message"] as? String)
      #expect(advice.map { message.contains($0) } ?? !message.contains("--"), "\(message)")
    }
  }

  @Test("A warning of info is there as text, and as data without the advice")
  func warnings() throws {
    try withDump { path in
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      try whole.dropLast(4096).write(to: URL(fileURLWithPath: path))
      let info = try #require(try Kva.run(["info", path, "--json"]).objects().first)
      let diagnostics = try #require(info["diagnostics"] as? [[String: Any]])
      let cut = try #require(diagnostics.first { $0["code"] as? String == "file-cut-short" })
      let text = "the file is cut short: 4096 bytes of memory are missing at its end; copy it again"
      #expect(cut["text"] as? String == text)
      #expect(cut["subject"] is NSNull)
      let warnings = try #require(info["warnings"] as? [String])
      #expect(warnings.contains(text) && warnings.count == diagnostics.count)
    }
  }

  @Test("A note of batch has the code and the advice that the text has, and the text of a report as data has none")
  func notes() throws {
    try withDump { path in
      let answer = try #require(try Kva.run(["batch", path], input: #"{"command":"modules"}"#).objects().first)
      let error = try #require((answer["errors"] as? [[String: Any]])?.first)
      #expect(error["kind"] as? String == "not-found" && error["code"] as? String == "type-unknown")
      #expect((error["message"] as? String)?.hasSuffix("; give --vmlinux FILE, with DWARF") == true)
      let report = try #require(try Kva.run(["report", path, "--json"]).objects().first)
      let diagnostics = try #require(report["diagnostics"] as? [[String: Any]])
      let modules = try #require(diagnostics.first { ($0["text"] as? String)?.hasPrefix("modules: ") ?? false })
      #expect(modules["code"] as? String == "type-unknown" && modules["subject"] as? String == "module")
      #expect((modules["text"] as? String)?.contains("--") == false)
      let notes = try #require(report["notes"] as? [String])
      #expect(notes.contains { $0.hasPrefix("modules: ") && $0.hasSuffix("; give --vmlinux FILE, with DWARF") })
    }
  }
}
