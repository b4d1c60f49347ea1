import Foundation
import TestSupport
import Testing

/// 0 all found, 1 something not, 2 the file cannot be used, 64 wrong usage.
@Suite struct ExitStatusTests {
  @Test("Found or not found decides between 0 and 1")
  func found() throws {
    try withKernel { path in
      let mapped = "ffff800008005000"
      let unmapped = "ffff800008006000"
      let cases: [(arguments: [String], input: String, status: Int32)] = [
        (["resolve", path, mapped], "", 0),
        (["resolve", path, unmapped], "", 1),
        (["resolve", path, mapped, unmapped, mapped], "", 1),
        (["resolve", path, mapped, "no_such_symbol"], "", 1),
        (["resolve", path], "\(unmapped)\n\(mapped)\n", 1),
        (["resolve", path], "\(mapped)\n", 0),
        (["resolve", path], "", 0),
        (["info", path], "", 0),
        (["read", path, mapped], "", 0),
        (["read", path, unmapped], "", 1),
      ]
      for (arguments, input, status) in cases {
        let result = try Kva.run(arguments, input: input)
        #expect(result.status == status, "\(arguments) \(input)")
      }
    }
  }

  @Test("An unmapped address is answered on standard output, with the reason")
  func unmapped() throws {
    try withKernel { path in
      let result = try Kva.run(["resolve", path, "ffff800008006000"])
      #expect(result.lines.count == 1)
      #expect(result.text.contains("unmapped"))
      #expect(result.text.contains("level 3"))
      #expect(result.standardError == "")
    }
  }

  @Test(
    "Wrong usage is 64, on standard error",
    arguments: [
      ["nonsense"], ["modul", "DUMP"], ["resolve"], ["read"], ["info"], ["resolve", "DUMP", "--nonsense"],
      ["info", "DUMP", "more"],
      ["read", "DUMP"], ["read", "DUMP", "0x0", "many"], ["read", "DUMP", "0x0", "16", "--raw", "--json"],
      ["read", "DUMP", "0x0", "16", "--raw", "--words", "8"], ["read", "DUMP", "0x0", "16", "--words", "3"],
      ["read", "DUMP", "0x0", "16", "--json", "--words", "8"], ["read", "DUMP", "0x0", "-1"],
      ["resolve", "DUMP", "--va-bits", "40"], ["resolve", "DUMP", "--page-size", "8K"],
      ["resolve", "DUMP", "--page-size", "0x"], ["resolve", "DUMP", "--kimage-voffset", "ffff"],
      ["resolve", "DUMP", "--kimage-voffset", "0x12345678123456789"], ["resolve", "DUMP", "--vmlinux"],
    ])
  func usage(_ arguments: [String]) throws {
    try withKernel { path in
      let result = try Kva.run(arguments.map { $0 == "DUMP" ? path : $0 })
      #expect(result.status == 64)
      #expect(result.text == "")
      #expect(result.standardError.contains("Usage: kva"))
    }
  }

  @Test(
    "Help and version are 0",
    arguments: [["--help"], ["--version"], ["resolve", "--help"], ["help", "read"]])
  func help(_ arguments: [String]) throws {
    let result = try Kva.run(arguments)
    #expect(result.status == 0)
    #expect(!result.text.isEmpty)
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
