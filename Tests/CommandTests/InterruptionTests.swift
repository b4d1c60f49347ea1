import Foundation
import TestSupport
import Testing

/// What happens when a file or the output goes away: a line and a status, never a crash report.
@Suite struct InterruptionTests {
  private func withKernel<R>(_ body: (String) throws -> R) throws -> R {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      // Pages enough that the first answer does not need the last.
      var core = HandmadeKernel().core
      core.segments.append(.init(0x8000_0000, .zeros(1 << 20)))
      try core.write(to: path)
      return try body(path)
    }
  }

  /// Asks one question, cuts the file, asks another: status and standard error.
  private func cut(_ options: [String]) throws -> (status: Int32, errors: String) {
    try withKernel { path in
      let errors = path + ".errors"
      let session = try KvaSession(["resolve", path] + options, errors: errors)
      try session.send("ffff800008005000\n")
      #expect(try session.line().contains("0x40005000"))
      try #require(FileHandle(forUpdatingAtPath: path)).truncate(atOffset: 0)
      try session.send("ffff800008005000\n")
      let status = try session.finish()
      return (status, String(decoding: try Data(contentsOf: URL(fileURLWithPath: errors)), as: UTF8.self))
    }
  }

  @Test("A dump that shrinks while it is mapped ends with a line and status 2")
  func shrinks() throws {
    let (status, errors) = try cut([])
    #expect(status == 2)
    let lines = errors.split(separator: "\n")
    #expect(lines.allSatisfy { $0.hasPrefix("kva: ") }, "\(errors)")
    #expect(lines.count { $0.contains("cannot be read any more") && $0.contains("--no-mmap") } == 1, "\(errors)")
  }

  @Test("Where it is not mapped, its cache answers, or the answer says what cannot be read")
  func shrinksUnmapped() throws {
    let (status, _) = try cut(["--no-mmap"])
    #expect(status == 0 || status == 1)
  }

  @Test("A full disk ends with a line and a status", arguments: ["info", "ptdump", "regions"])
  func fullDisk(_ command: String) throws {
    try withKernel { path in
      let result = try Kva.run([command, path], output: "/dev/full")
      #expect(result.status != 0 && result.status < 64)
      #expect(result.errorLines.allSatisfy { $0.hasPrefix("kva: ") }, "\(result.standardError)")
      #expect(result.standardError.contains("No space left"), "\(result.standardError)")
    }
  }

  @Test("Every format answers alike whether it is mapped or read")
  func readInstead() throws {
    let dumps = try DumpEntry.testData.flatMap { entry -> [String] in
      let files = try FileManager.default.contentsOfDirectory(atPath: entry.folder.path)
      return try files.filter { $0.hasPrefix("vmcore") && !$0.contains("elf.zst") || $0.contains("tables") }.map {
        try entry.path($0.hasSuffix(".zst") ? String($0.dropLast(4)) : $0)
      }
    }
    #expect(dumps.count > 4)
    for path in dumps {
      for arguments in [["info", path, "--json"], ["audit", path, "--json"], ["symbols", path, "vm*"]] {
        let mapped = try Kva.run(arguments)
        let read = try Kva.run(arguments + ["--no-mmap"])
        #expect(mapped.status == read.status && mapped.output == read.output, "\(arguments)")
        #expect(mapped.standardError == read.standardError, "\(arguments)")
      }
    }
  }
}
