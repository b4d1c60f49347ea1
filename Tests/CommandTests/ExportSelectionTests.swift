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

  /// Whether `bytes` are in a kdump file packed with zlib, as they are or in a page unpacked: by zlib of Python and the
  /// offsets of makedumpfile's diskdump_mod.h.
  private static func kdumpHolds(_ path: String, _ bytes: [UInt8]) throws -> Bool {
    let script = """
      import struct, sys, zlib
      file, secret = open(sys.argv[1], "rb").read(), sys.argv[2].encode()
      block, header, bitmaps = struct.unpack_from("<iii", file, 428)
      start = (1 + header + bitmaps) * block
      second = file[(1 + header) * block + bitmaps * block // 2:start]
      pages = sum(bin(byte).count("1") for byte in second)
      found = secret in file
      for number in range(pages):
          offset, size, flags = struct.unpack_from("<QII", file, start + 24 * number)
          page = file[offset:offset + size]
          found = found or secret in (zlib.decompress(page) if flags & 1 else page)
      print(pages, found)
      """
    let result = try Program.run(
      "python3 - \"$1\" \"$2\" <<'END'\n\(script)\nEND", [path, String(decoding: bytes, as: UTF8.self)])
    let words = result.text.split(separator: "\n").first?.split(separator: " ").map(String.init) ?? []
    guard words.count == 2, Int(words[0]) ?? 0 > 100 else {
      throw TestSupportError("no pages: \(result.standardError)")
    }
    return words[1] == "True"
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
        #expect(try !Self.kdumpHolds(path, secret.bytes))
      }
      let whole = try export(dump, ["--kdump", "zlib"], to: folder)
      for secret in secrets { #expect(try Self.kdumpHolds(whole, secret.bytes)) }
      _ = try export(dump, ["--kdump", "zlib", "--no-user"], to: folder)
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
      // Of the objects in the slabs of key_jar, which this kernel merged with maple_node, the first that is a key: its
      // type has a name.
      let objects = try Kva.run(["slab", dump, "key_jar", "--objects", "--json"]).objects().compactMap {
        $0["object"] as? String
      }
      let names = objects.map { "((struct key *)\($0))->type->name" }
      // The pointer to it is one to a constant of the kernel's image.
      let image = try parseAddress(try #require(try entry.vmcoreinfo()["SYMBOL(_stext)"]))
      let key = try Kva.run(["print", dump, "--json"] + names).objects().first { answer in
        guard let name = answer["value"] as? String, let address = try? parseAddress(name) else { return false }
        return address > image && address < image + 64 << 20
      }
      let query = try #require(key?["query"] as? String)
      let address = try #require(objects.first { query.contains($0) })
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
      let path = try export(dump, ["--kdump", "zlib", "--no-user"], to: folder)
      #expect(try !Self.kdumpHolds(path, secret))
      // The tables of VMAs that are in slabs of the same cache are all there, and the file says what is not.
      let omitted = try #require(Kva.run(["info", path, "--json"]).object()["omitted"] as? [String])
      #expect(omitted.contains { $0.contains("slabs with a key of") && $0.contains("maple_node") })
      for process in try Kva.run(["tasks", dump, "--json"]).objects() where process["mm"] is String {
        let pid = "\(try #require(process["pid"] as? Int))"
        #expect(try Kva.run(["maps", path, pid]).text == Kva.run(["maps", dump, pid]).text, "PID \(pid)")
      }
    }
  }
}
