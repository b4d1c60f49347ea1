import Foundation
import TestSupport
import Testing

/// Exported files that leave something out: what belongs to users, or all but some parts of the kernel.
@Suite struct ExportSelectionTests {
  private func export(_ dump: String, _ options: [String], to folder: URL) throws -> String {
    let path = folder.appendingPathComponent("out").path
    let result = try Kva.run(["export", dump, "-o", path] + options)
    try #require(result.status == 0, "\(result.standardError)")
    return path
  }

  /// A dump with secrets planted where users have theirs, and where in it they are.
  private func plant(_ folder: URL) throws -> (dump: String, secrets: [(physical: UInt64, bytes: [UInt8])]) {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let core = try CoreReader(path: entry.path("vmcore.elf.zst"))
    let dump = folder.appendingPathComponent("planted").path
    try FileManager.default.copyItem(atPath: entry.path("vmcore.elf.zst"), toPath: dump)
    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: dump)
    let samples = try #require(try entry.mmu().userSamples.first).samples
    func physical(_ range: ClosedRange<UInt64>) throws -> UInt64 {
      let sample = samples.first { range.contains($0.virtual) && $0.physical != nil }
      return try #require(sample?.physical) & ~0xfff
    }
    // By the maps of the process: text of a file, then its stack.
    let places = [
      try physical(0x400000...0x48efff), try physical(0xffff_e568_e000...0xffff_e56a_efff),
    ]
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: dump))
    defer { try? file.close() }
    var secrets: [(UInt64, [UInt8])] = []
    for (number, place) in places.enumerated() {
      let secret = Array("kva-planted-secret-\(number)-do-not-export".utf8)
      try file.seek(toOffset: try #require(core.offset(place + 256, secret.count)))
      try file.write(contentsOf: secret)
      secrets.append((place, secret))
    }
    return (dump, secrets)
  }

  @Test("Secrets of users are in no byte of a file without user memory, and in one with it")
  func secrets() throws {
    try Scratch.withFolder { folder in
      let (dump, secrets) = try plant(folder)
      for view in ["--physical", "--virtual"] {
        let whole = try Data(contentsOf: URL(fileURLWithPath: export(dump, [view], to: folder)))
        let part = try Data(contentsOf: URL(fileURLWithPath: export(dump, [view, "--no-user"], to: folder)))
        for secret in secrets {
          #expect(whole.range(of: Data(secret.bytes)) != nil && part.range(of: Data(secret.bytes)) == nil, "\(view)")
        }
      }
      let path = try export(dump, ["--kdump", "zlib", "--no-user"], to: folder)
      for secret in secrets {
        let address = "0x" + String(secret.physical, radix: 16)
        let page = try Kva.run(["page", path, address, "--json"]).object()
        #expect(["file", "anonymous"].contains(page["use"] as? String ?? ""))
      }
      let info = try Kva.run(["info", path, "--json"]).object()
      #expect((info["omitted"] as? [String])?.contains("page cache") ?? false && info["dumpLevel"] as? Int == 30)
      // The kernel's own is all there.
      for question in [["tasks"], ["dmesg"], ["stack", "1"], ["modules"]] {
        let (name, rest) = (question[0], question.dropFirst())
        let one = try Kva.run([name, dump] + rest)
        let other = try Kva.run([name, path] + rest)
        #expect(one.text == other.text && !one.text.isEmpty, "\(name)")
      }
    }
  }

  @Test("A file of the parts that a bug report needs answers as the dump does")
  func parts() throws {
    let dump = try DumpEntry.named("c61-4k48-nokaslr").path("vmcore.elf.zst")
    try Scratch.withFolder { folder in
      let parts = "text,data,tasks,log,stacks,types"
      let path = try export(dump, ["--kdump", "zstd", "--only", parts, "--no-user"], to: folder)
      let info = try Kva.run(["info", path, "--json"]).object()
      #expect((info["omitted"] as? [String])?.first == "all but tables, text, data, tasks, log, stacks, types")
      for question in [
        ["tasks"], ["dmesg"], ["stack", "1"], ["symbols", "vmalloc_*"], ["type", "list_head"], ["ptdump"],
      ] {
        let (name, rest) = (question[0], question.dropFirst())
        let one = try Kva.run([name, dump] + rest)
        let other = try Kva.run([name, path] + rest)
        #expect(one.text == other.text && !one.text.isEmpty, "\(name)")
      }
      let log = try export(dump, ["--physical", "--only", "log,types"], to: folder)
      #expect(try Kva.run(["dmesg", log]).text == Kva.run(["dmesg", dump]).text)
      let size = try FileManager.default.attributesOfItem(atPath: log)[.size] as? Int
      #expect(size ?? .max < 32 << 20)
    }
    let wrong = try Kva.run(["export", dump, "--physical", "--only", "tables,nonsense", "-o", "/nonexistent/x"])
    #expect(wrong.status == 64 && wrong.standardError.contains("There is no part 'nonsense'"))
  }

  private static let withKeys = DumpEntry.corpus.first { $0.name == "deb61-4k48-rich" }

  @Test("A key is in no byte of a file without user memory", .enabled(if: withKeys != nil))
  func keys() throws {
    let entry = try #require(Self.withKeys)
    try Scratch.withFolder { folder in
      let dump = folder.appendingPathComponent("planted").path
      try FileManager.default.copyItem(atPath: entry.path("vmcore.elf.zst"), toPath: dump)
      try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: dump)
      let core = try CoreReader(path: dump)
      // A page of a slab of key_jar, which kva finds, and the MMU's address of it.
      let object = try #require(Kva.run(["slab", dump, "key_jar", "--objects", "--json"]).objects().first)
      let address = try #require(object["object"] as? String)
      let place = try #require(Kva.run(["resolve", dump, address, "--json"]).object()["physical"] as? String)
      let physical = try parseAddress(place) & ~0xfff
      let secret = Array("kva-planted-key-do-not-export".utf8)
      let file = try FileHandle(forUpdating: URL(fileURLWithPath: dump))
      try file.seek(toOffset: try #require(core.offset(physical + 4000, secret.count)))
      try file.write(contentsOf: secret)
      try file.close()
      let whole = try Data(contentsOf: URL(fileURLWithPath: export(dump, ["--physical"], to: folder)))
      let part = try Data(contentsOf: URL(fileURLWithPath: export(dump, ["--physical", "--no-user"], to: folder)))
      #expect(whole.range(of: Data(secret)) != nil && part.range(of: Data(secret)) == nil)
    }
  }
}
