import Foundation
import TestSupport
import Testing

/// `--vmlinux` with debug sections that would take more memory than there is.
@Suite(.enabled(if: CrossCompiler.isAvailable, "clang and its linker are not there"))
struct HostileVmlinuxTests {
  /// Asks for types from a file whose `.debug_info` is 560 MiB of zeros, with so many bytes behind all else.
  private func run(_ style: DebugPacker.Style, padding: UInt64) throws -> ProcessResult {
    let dump = try DumpEntry.named("c612-64k52").path("vmcore.elf")
    return try Scratch.withFolder { folder in
      let object = folder.appendingPathComponent("bomb.o").path
      let file = folder.appendingPathComponent("bomb")
      try CrossCompiler.compile("int f(int x) { return x; }", ["-g"], to: object)
      try CrossCompiler.link([object], to: file.path)
      let zeros = [UInt8](repeating: 0, count: 16 << 20)
      let part = (style == .zstd ? KdumpCodec.zstd : .zlib).pack(zeros)
      let parts = 35
      var packer = DebugPacker(style)
      packer.claim = { name, size in name == ".debug_info" ? UInt64(zeros.count * parts) : size }
      packer.content = { name, packed in
        name == ".debug_info" ? [UInt8]((0..<parts).map { _ in part }.joined()) : packed
      }
      try Data(packer.pack([UInt8](Data(contentsOf: file)))).write(to: file)
      let handle = try FileHandle(forWritingTo: file)
      try handle.truncate(atOffset: handle.seekToEnd() + padding)
      return try Kva.run(
        ["tasks", dump, "--vmlinux", file.path, "--force", "--no-debuginfo"], memory: 512 << 10)
    }
  }

  @Test("A small packed file that claims to be large is refused", arguments: DebugPacker.Style.allCases)
  func small(_ style: DebugPacker.Style) throws {
    let result = try run(style, padding: 0)
    #expect(result.status == 1)
    #expect(result.errorLines.contains { $0.contains("debug_info claims 587202560 bytes when unpacked") })
  }

  @Test("A larger packed file is unpacked, but not into memory", arguments: [DebugPacker.Style.zlib, .zstd])
  func large(_ style: DebugPacker.Style) throws {
    let result = try run(style, padding: 40 << 20)
    #expect(result.status == 1)
    #expect(!result.standardError.contains("claims"))
  }

  @Test("Units that all name the last of many abbreviations are not all read")
  func abbreviations() throws {
    // 20,000 abbreviations, and 4,000 units whose entries are of a number that is not among them.
    let text = """
      .section .debug_abbrev,"",%progbits
      .set number, 0
      .rept 20000
      .set number, number + 1
      .uleb128 number
      .byte 0x11, 0, 0, 0
      .endr
      .section .debug_info,"",%progbits
      .rept 4000
      .4byte 10
      .2byte 4
      .4byte 0
      .byte 8
      .uleb128 0x1fffff
      .endr
      """
    let dump = try DumpEntry.named("c612-64k52")
    let function = try #require(try dump.kallsyms()["kfree"])
    try Scratch.withFolder { folder in
      let object = folder.appendingPathComponent("units.o").path
      let file = folder.appendingPathComponent("units").path
      try CrossCompiler.compile("asm(\(literal(text))); int f(int x) { return x; }", [], to: object)
      try CrossCompiler.link([object], to: file)
      let result = try Kva.run(
        ["identify", dump.path("vmcore.elf"), hex(function), "--vmlinux", file, "--force", "--no-debuginfo"],
        memory: 512 << 10)
      #expect(result.status == 0, "\(result)")
      #expect(result.text.contains("kernel text"))
    }
  }

  /// A string of C.
  private func literal(_ text: String) -> String {
    text.split(separator: "\n").map { "\"\($0.replacing("\"", with: "\\\""))\\n\"" }.joined(separator: "\n")
  }
}
