import Foundation
import TestSupport
import Testing

/// `--debuginfod`: the program that fetches is run as it is meant to be, and what it prints is taken.
@Suite struct DebuginfodTests {
  /// `kva info` on a dump whose vmlinux no folder has, with `script` as what fetches; none where it is nil.
  private func info(_ script: String?) throws -> ProcessResult {
    try Scratch.withFolder { folder in
      if let script {
        let program = folder.appendingPathComponent("debuginfod-find")
        try "#!/bin/sh\n\(script)\n".write(to: program, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.path)
      }
      let path = folder.path + (script == nil ? "" : ":/usr/bin:/bin")
      return try Program.run(
        #"PATH=$1 DEBUGINFOD_URLS=http://localhost exec "$2" info "$3" --debuginfod <<<queries"#,
        [path, Kva.path, DumpEntry.named("c612-64k52").path("vmcore.elf")])
    }
  }

  @Test("It is asked for the build-ID, without standard input, and its file is used")
  func fetched() throws {
    let file = try DumpEntry.named("c612-64k52").path("vmlinux")
    let result = try info(#"echo "$*, $(wc -c) bytes of input" >&2; echo '\#(file)'; echo more"#)
    #expect(result.text.contains("symbol table of \(file)"))
    // The build-ID is what readelf -n says of that vmlinux.
    let wanted = "debuginfo 12e9962ec43c0db48fa66ffbc58f4a3aa1029181, 0 bytes of input"
    #expect(result.errorLines.contains(wanted), "\(result.standardError)")
  }

  @Test(
    "A program that fails, prints without end or is not there costs a line at most",
    arguments: [
      ("exit 1", "has debuginfo"), ("kill -9 $$", "has debuginfo"), ("head -c 9000000 /dev/zero", "has debuginfo"),
      (nil, "is not installed"),
    ])
  func failed(_ script: String?, _ word: String) throws {
    let result = try info(script)
    #expect(result.text.contains("kallsyms in the dump"))
    #expect(result.errorLines.allSatisfy { $0.hasPrefix("kva: debuginfod-find: ") }, "\(result.standardError)")
    #expect(result.standardError.contains(word), "\(result.standardError)")
  }
}
