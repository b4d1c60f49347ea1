import Foundation
import TestSupport
import Testing

/// Files that are no dump of an arm64 kernel: one line that says so, status 2, and nothing else.
@Suite struct BadInputTests {
  /// A file that must be refused: how it is made at a path, and a word of the line that refuses it.
  struct BadFile: Sendable, CustomStringConvertible {
    let description: String
    let word: String
    let make: @Sendable (String) throws -> Void

    init(_ description: String, _ word: String, _ make: @escaping @Sendable (String) throws -> Void) {
      self.description = description
      self.word = word
      self.make = make
    }

    init(_ description: String, _ word: String, bytes: [UInt8]) {
      self.init(description, word) { try Data(bytes).write(to: URL(fileURLWithPath: $0)) }
    }

    /// The handmade kernel's core with a change.
    static func core(
      _ description: String, _ word: String, _ change: @escaping @Sendable (inout CoreWriter) -> Void
    ) -> BadFile {
      BadFile(description, word) {
        var core = HandmadeKernel().core
        change(&core)
        try core.write(to: $0)
      }
    }
  }

  static let files: [BadFile] = [
    .init("no file", "No such file") { _ in },
    .init("a directory", "directory") {
      try FileManager.default.createDirectory(atPath: $0, withIntermediateDirectories: false)
    },
    .init("a pipe", "regular file") {
      guard mkfifo($0, 0o600) == 0 else { throw TestSupportError("mkfifo") }
    },
    .init("an empty file", "empty", bytes: []),
    .init("one byte", "text", bytes: [0x41]),
    .init("a text file", "text", bytes: Array("Nov 23 08:06 kernel: nothing to see\n".utf8)),
    .init("zeros", "not a dump", bytes: .zeros(4096)),
    .init("a gzip file", "gzip", bytes: [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3] + .zeros(64)),
    .init("a zstd file", "zstd") { target in
      let packed = Checkout.testData.appendingPathComponent("deb612-16k").appendingPathComponent(
        "vmcore.tables.elf.zst")
      try FileManager.default.copyItem(atPath: packed.path, toPath: target)
    },
    .init("an xz file", "xz", bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0] + .zeros(64)),
    .init("a qcow2 image", "qcow2", bytes: [0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3] + .zeros(504)),
    .init("a core of a user program", "user program") {
      // What Linux writes: NT_PRSTATUS, NT_PRPSINFO, NT_SIGINFO, NT_AUXV, NT_FILE.
      let notes =
        CoreWriter.prstatus(pid: 4242, registers: [1, 2, 3]) + CoreWriter.note("CORE", 3, .zeros(136))
        + CoreWriter.note("CORE", 0x5349_4749, .zeros(128)) + CoreWriter.note("CORE", 6, .zeros(320))
        + CoreWriter.note("CORE", 0x4649_4c45, .zeros(64))
      try CoreWriter(notes: notes, [.init(0, .zeros(4096), virtual: 0xaaaa_0000_0000)]).write(to: $0)
    },
    .core("a core of x86-64", "x86-64") { $0.machine = 62 },
    .core("a core of 32-bit Arm", "32-bit Arm") { $0.machine = 40 },
    .core("a big-endian core", "big-endian") { $0.isBigEndian = true },
    .init("a 32-bit ELF file", "32-bit", bytes: elf32),
    .core("a program", "--vmlinux") { $0.type = 2 },
    .core("a shared object", "--vmlinux") { $0.type = 3 },
    .core("an object file", "object file") { $0.type = 1 },
    .init("a vmlinux", "--vmlinux") { target in
      let vmlinux = try DumpEntry.named("c612-64k52").path("vmlinux")
      try FileManager.default.createSymbolicLink(atPath: target, withDestinationPath: vmlinux)
    },
    .init("an ELF header cut short", "ends within", bytes: Array(HandmadeKernel().core.bytes().prefix(60))),
    .init("an ELF header alone", "program header", bytes: Array(HandmadeKernel().core.bytes().prefix(64))),
    .core("more program headers than there are bytes", "program header") { $0.headerCount = 0xfffe },
    .core("no program headers", "program header") { $0.headerCount = 0 },
    .core("program headers beyond the end", "program header") { $0.headerOffset = 1 << 40 },
    .core("program headers at the end of 64 bits", "program header") { $0.headerOffset = .max - 7 },
    .core("program headers nowhere", "program header") { $0.headerOffset = 0 },
    .core("an extended count without a section header", "program header") { $0.headerCount = 0xffff },
    .core("an extended count of four thousand million", "program header") {
      $0.usesExtendedCount = true
      $0.extendedCount = .max
    },
    .core("an extended count of a million, in a small file", "program header") {
      $0.usesExtendedCount = true
      $0.extendedCount = 1_000_000
    },
    .core("no PT_LOAD", "PT_LOAD") { $0.segments = [] },
    .core("no notes", "VMCOREINFO") { $0.notes = [] },
    .init("notes beyond the end", "VMCOREINFO") { target in
      let file = try lyingNotes(offset: 1 << 50, size: 4096)
      try Data(file).write(to: URL(fileURLWithPath: target))
    },
    .init("notes that reach over the end of 64 bits", "VMCOREINFO") { target in
      let file = try lyingNotes(offset: .max - 100, size: .max)
      try Data(file).write(to: URL(fileURLWithPath: target))
    },
    .core("a note longer than the file", "VMCOREINFO") {
      $0.notes = [
        .init(
          [11, 0, 0, 0, 0xf0, 0xff, 0xff, 0x7f, 0, 0, 0, 0] + Array("VMCOREINFO\0\0PAGESIZE=4096\n".utf8))
      ]
    },
    .core("a note whose name is longer than the file", "VMCOREINFO") {
      $0.notes = [
        .init([0xff, 0xff, 0xff, 0xff, 8, 0, 0, 0, 0, 0, 0, 0] + Array("VMCOREINFO\0\0PAGESIZE".utf8))
      ]
    },
    .core("a VMCOREINFO of zeros", "PAGESIZE") {
      $0.notes = [.init(CoreWriter.note("VMCOREINFO", 0, .zeros(4096)))]
    },
    .core("a page size that arm64 does not have", "PAGESIZE=8192") {
      $0.notes = [.init(CoreWriter.vmcoreinfo("PAGESIZE=8192\nNUMBER(VA_BITS)=48\n"))]
    },
    .core("a page size that is no number", "--page-size") {
      $0.notes = [.init(CoreWriter.vmcoreinfo("PAGESIZE=99999999999999999999\n"))]
    },
    .core("a VA width that no kernel has", "--va-bits") {
      $0.notes = [.init(CoreWriter.vmcoreinfo("PAGESIZE=4096\nNUMBER(VA_BITS)=-1\n"))]
    },
  ]

  @Test("One line, status 2, nothing on standard output", arguments: files)
  func refused(_ bad: BadFile) throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try bad.make(path)
      // Alone `info` describes a file that is sound, but has no kernel: it is not asked here.
      for arguments in [
        ["resolve", path, "ffff800008005000", "--json"], ["read", path, "ffff800008005000"],
      ] {
        let result = try Kva.run(arguments, limit: 30)
        #expect(result.status == 2)
        #expect(result.text == "")
        #expect(result.errorLines.count == 1, "\(result.standardError)")
        #expect(result.standardError.hasPrefix("kva: \(path): "))
        #expect(result.standardError.contains(bad.word), "\(result.standardError)")
      }
      let info = try Kva.run(["info", path], limit: 30)
      #expect(info.status == 2 || info.status == 1)
      #expect(info.errorLines.count == 1)
      #expect(info.standardError.hasPrefix("kva: \(path): "))
      #expect((info.status == 2) == info.text.isEmpty)
    }
  }

  @Test("Files of no size as the pieces of raw memory")
  func emptyPieces() throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("empty").path
      try Data().write(to: URL(fileURLWithPath: path))
      let pieces = [path + "@0", path + "@0x10", path + "@0x20"].joined(separator: ",")
      for options in [[], ["--no-mmap"]] {
        let result = try Kva.run(["info", pieces] + options)
        #expect(result.status == 2)
        #expect(result.errorLines.count == 1)
      }
    }
  }

  @Test("Segments whose fields lie do not keep sound ones from being read")
  func lyingSegments() throws {
    try Scratch.withFolder { folder in
      var core = HandmadeKernel().core
      core.segments += [
        .init(.max - 0xfff, fileSize: 0x2000), .init(0x8000_0000, offset: .max - 15, fileSize: 0x1000),
        .init(0x9000_0000, offset: 1 << 60, fileSize: .max),
        .init(0xa000_0000, fileSize: 0, memorySize: .max),
        .init(.max, fileSize: .max, memorySize: .max), .init(0, fileSize: 0),
        .init(0x7fff_ffff_ffff_ffff, [1]),
      ]
      let path = folder.appendingPathComponent("vmcore").path
      try core.write(to: path)
      let found = try Kva.run(["resolve", path, "--json", "ffff800008005010"])
      #expect(found.status == 0)
      #expect(try found.object()["physical"] as? String == "0x40005010")
      for address in ["0x80000000", "0x90000000", "0xa0000000", "0xffffffffffffff00", "0xffffffffffffffff"] {
        let result = try Kva.run(["read", path, "--physical", address, "1", "--raw"])
        #expect(result.status == 1, "\(address)")
        #expect(result.output.isEmpty)
        #expect(result.standardError.hasPrefix("kva: \(path): "))
      }
      #expect(try Kva.run(["info", path, "--json"]).status == 0)
    }
  }

  @Test("A name with control characters or quotes breaks neither the line nor the JSON")
  func strangeNames() throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("a\nkva: b\u{1b}[31m\"").path
      let result = try Kva.run(["info", path])
      #expect(result.status == 2)
      #expect(result.errorLines.count == 1)
      #expect(!result.standardError.contains("\u{1b}"))
      let dump = folder.appendingPathComponent("vmcore").path
      try HandmadeKernel().core.write(to: dump)
      let query = "a\"b\\c\u{7f}é"
      let answer = try Kva.run(["resolve", dump, "--json", query]).object()
      #expect(answer["query"] as? String == query)
    }
  }

  /// The header of a 32-bit Arm core, Elf32_Ehdr of 52 bytes, and one empty program header of 32.
  private static let elf32: [UInt8] = {
    var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 1, 1, 1] + .zeros(9)
    file += [4, 0, 40, 0, 1, 0, 0, 0]
    file += .zeros(4)
    file += [52, 0, 0, 0]
    file += .zeros(8)
    file += [52, 0, 32, 0, 1, 0]
    return file + .zeros(6 + 32)
  }()

  /// A core whose notes segment has these fields.
  private static func lyingNotes(offset: UInt64, size: UInt64) throws -> [UInt8] {
    var file = HandmadeKernel().core.bytes()
    // The notes are the first program header, at 64: p_offset is at 8 of it, p_filesz at 32.
    file.replaceSubrange(72..<80, with: [UInt8](little: offset))
    file.replaceSubrange(96..<104, with: [UInt8](little: size))
    return file
  }
}
