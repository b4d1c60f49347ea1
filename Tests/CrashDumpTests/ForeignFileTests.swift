import Bytes
import CrashDump
import Foundation
import TestSupport
import Testing

@Suite("Files that are no dumps") struct ForeignFileTests {
  /// The first bytes of files of other formats, and a word that their message must have.
  static let files: [(name: String, start: [UInt8], words: String)] = [
    ("gzip", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], "gunzip"),
    ("zstd", [0x28, 0xb5, 0x2f, 0xfd, 4, 0], "zstd -d"),
    ("xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4], "xz -d"),
    ("bzip2", Array("BZh91AY&SY".utf8), "bunzip2"),
    ("zip", [0x50, 0x4b, 3, 4, 0x14, 0], "zip archive"),
    ("qcow2", [0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3], "dump-guest-memory"),
    ("LZ4", [0x04, 0x22, 0x4d, 0x18, 0x64, 0x40], "lz4 -d"), ("LZ4, legacy", [0x02, 0x21, 0x4c, 0x18], "lz4 -d"),
    ("zlib", [0x78, 0x9c, 0xed, 0xdd], "zlib"), ("zlib, fastest", [0x78, 0x01, 0xed, 0xdd], "zlib"),
    ("zlib, best", [0x78, 0xda, 0x4b, 0x4c], "zlib"), ("zlib of LiME", [0x38, 0x8d, 0xed, 0xdd], "zlib"),
    ("lzop", [0x89, 0x4c, 0x5a, 0x4f, 0, 0x0d, 0x0a], "lzop -d"),
    ("snappy", [0xff, 6, 0, 0] + Array("sNaPpY".utf8), "snappy"), ("7z", [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], "7z"),
    ("AVML", Array("AVML".utf8) + [3, 0, 0, 0], "avml-convert"),
    ("virsh save", Array("LibvirtQemudSave".utf8) + [2, 0, 0, 0], "virsh dump --memory-only"),
    ("migration", Array("QEVM".utf8) + [0, 0, 0, 3], "dump-guest-memory"),
    ("sparse", [0x3a, 0xff, 0x26, 0xed, 1, 0, 0, 0], "simg2img"), ("boot", Array("ANDROID!".utf8), "DDRCS*.BIN"),
    ("vendor boot", Array("VNDRBOOT".utf8), "DDRCS*.BIN"), ("VMware", [0xd2, 0xbe, 0xd2, 0xbe, 8, 0], "kdump"),
    ("hibernation", .zeros(4086) + Array("S1SUSPEND".utf8) + [0], "resume it"),
    ("hibernation, 64K", .zeros(65526) + Array("S1SUSPEND".utf8) + [0], "resume it"),
    ("Windows, 64 bits", Array("PAGEDU64".utf8), "Windows crash dump"),
    ("Windows, 32 bits", Array("PAGEDUMP".utf8), "Windows crash dump"),
    ("minidump", Array("MDMP".utf8) + [0x93, 0xa7], "minidump"),
    ("tar", Array("vmcore".utf8) + .zeros(251) + Array("ustar".utf8) + [0, 0x30, 0x30], "tar archive"),
  ]

  @Test("A format that is known is named, with what to do", arguments: files.indices)
  func known(_ index: Int) throws {
    let file = Self.files[index]
    for size in [0, 600, 2 << 20] {
      let bytes = file.start + .zeros(max(0, size - file.start.count))
      let error = try #require(try openingError(bytes), "\(file.name)")
      #expect(error.kind == .unsupported && error.message.contains(file.words), "\(file.name): \(error)")
      #expect(error.offset == 0 && !error.message.contains("\n"))
    }
  }

  @Test("Text, with or without a last line end")
  func text() throws {
    let long = String(repeating: "x", count: 9999)
    for text in ["hello", "makedumpfile\n", "KDUMP", "# a script\n\techo hello\r\n", long] {
      let error = try #require(try openingError(Array(text.utf8)), "\(text.prefix(20))")
      #expect(error.kind == .unsupported && error.message.contains("text file"), "\(error)")
    }
  }

  @Test("A kernel Image is no memory")
  func image() throws {
    // code0, code1, text_offset, image_size, flags, then "ARM\u{64}" at 56.
    var image = [UInt8](repeating: 0, count: 3 << 20)
    image.replaceSubrange(0..<8, with: [0x4d, 0x5a, 0x40, 0xfa, 0xff, 0xff, 0x57, 0x14])
    image.replaceSubrange(16..<24, with: [UInt8](little: UInt64(image.count)))
    image.replaceSubrange(24..<32, with: [UInt8](little: UInt64(0xa)))
    image.replaceSubrange(56..<60, with: Array("ARMd".utf8))
    #expect(try openingError(image)?.message == "is a kernel Image, not a dump")
    // The same at the start of memory that is far larger is.
    try withDump(image + .zeros(6 << 20)) { dump in #expect(dump.isAddressUnknown) }
  }

  @Test("Random bytes and zeros say that memory needs an address", arguments: [1, 7, 64, 511, 4096, 2 << 20])
  func random(_ size: Int) throws {
    var generator = SeededGenerator(seed: UInt64(size))
    // Bytes of no signature, which chance might make.
    let start: [UInt8] = [0x81]
    for bytes in [start + generator.bytes(size - 1), .zeros(size)] {
      let error = try #require(try openingError(bytes))
      #expect(error.kind == .unsupported && error.message.contains("vmcore@ADDRESS"), "\(error)")
    }
  }

  @Test("ELF files that are no arm64 cores")
  func elf() throws {
    func error(_ change: (inout CoreWriter) -> Void) throws -> LocatedError? {
      var core = CoreWriter(notes: [], [.init(0, contents(1))])
      change(&core)
      return try openingError(core.bytes())
    }
    #expect(try error { $0.machine = 62 }?.message.contains("x86-64") == true)
    #expect(try error { $0.type = 2 }?.code == .notADump)
    #expect(try error { $0.fileClass = 1 }?.message.contains("32-bit") == true)
    #expect(try error { $0.isBigEndian = true }?.kind == .unsupported)
    #expect(try error { $0.notes = [.init(CoreWriter.note("CORE", 6, .zeros(16)))] }?.message.contains("gdb") == true)
  }

  @Test("What is no file")
  func noFile() throws {
    try withFiles(["empty": []]) { folder in
      #expect(openingError(path: folder + "/empty")?.kind == .truncated)
      #expect(openingError(path: folder + "/absent")?.kind == .system(ENOENT))
      #expect(openingError(path: folder)?.kind == .unsupported)
      #expect(openingError(path: folder + "/empty/x")?.kind == .system(ENOTDIR))
      #expect(openingError(path: "")?.kind == .system(ENOENT))
      #expect(openingError(path: ",")?.kind == .system(ENOENT))
      #expect(mkfifo(folder + "/pipe", 0o600) == 0)
      #expect(openingError(path: folder + "/pipe")?.kind == .unsupported)
    }
  }
}
