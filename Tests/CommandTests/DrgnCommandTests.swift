import Foundation
import TestSupport
import Testing

/// `kva drgn`: what it hands to Python. What Python does with it is tested in Python/tests.
@Suite struct DrgnCommandTests {
  @Test("Python gets this kva, the options in one word each, the dump and the script")
  func arguments() throws {
    try Scratch.withFolder { folder in
      let python = folder.appendingPathComponent("python")
      try "#!/bin/sh\nshift 2\nprintf '%s\\n' \"$@\"\nexit 7\n".write(to: python, atomically: true, encoding: .utf8)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: python.path)
      let result = try Kva.run([
        "drgn", "--python", python.path, "--va-bits", "48", "--swapper-pg-dir", "0x41586000", "--page-size", "4K",
        "--no-debuginfo", "vmcore", "script.py", "--", "--verbose", "a b",
      ])
      let program = try #require(result.lines.first)
      #expect(program.hasPrefix("--kva=/"))
      #expect(program.hasSuffix("/kva"))
      #expect(
        Array(result.lines.dropFirst()) == [
          "--va-bits=48", "--swapper-pg-dir=1096310784", "--page-size=4096", "--no-debuginfo", "--", "vmcore",
          "script.py", "--verbose", "a b",
        ])
      #expect(result.status == 7)
    }
  }

  @Test("Without a Python, and with two things to run")
  func wrong() throws {
    let missing = try Kva.run(["drgn", "vmcore", "--python", "/no/python"])
    #expect(missing.status == 2)
    #expect(missing.standardError.contains("/no/python: No such file or directory"))
    let both = try Kva.run(["drgn", "vmcore", "script.py", "-e", "1"])
    #expect(both.status == 64)
  }
}
