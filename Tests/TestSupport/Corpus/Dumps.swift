import Foundation

/// A folder with dumps of one machine and what others say of it.
public struct DumpEntry: Sendable, CustomStringConvertible {
  /// Where it is.
  public let folder: URL

  /// Its name, such as "deb61-4k48".
  public var name: String { folder.lastPathComponent }
  /// Its name.
  public var description: String { name }
  /// Whether the answers beside it were noted some seconds before the crash.
  public var isNotedEarlier: Bool { name.hasPrefix("kdump-") }

  /// The entries that come with the source.
  public static let kept = entries(in: Checkout.testData)
  /// Those of them whose machine was stopped alive: all its memory is there, and as the answers beside it say.
  public static let testData = kept.filter { !$0.name.hasPrefix("oops-") }
  /// The entries of the corpus; none where it is not at hand.
  public static let corpus = Checkout.corpus.map(entries(in:)) ?? []
  /// Those of both, each once.
  public static let all = kept + corpus.filter { entry in !kept.contains { $0.name == entry.name } }

  /// The entry of TestData, or else of the corpus, called `name`.
  public static func named(_ name: String) throws -> DumpEntry {
    guard let entry = all.first(where: { $0.name == name }) else {
      throw TestSupportError("neither TestData nor the corpus has an entry \(name)")
    }
    return entry
  }

  private static func entries(in folder: URL) -> [DumpEntry] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.sorted().map { DumpEntry(folder: folder.appendingPathComponent($0)) }
      .filter { FileManager.default.fileExists(atPath: $0.folder.appendingPathComponent("facts.json").path) }
  }

  /// The ELF dumps in it, whole ones and those of tables alone.
  public var elfDumps: [Dump] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasPrefix("vmcore") && $0.contains("elf") }.sorted().map {
      Dump(entry: self, file: $0)
    }
  }

  /// The dump called `file`, with or without `.zst`.
  public func dump(_ file: String) -> Dump { Dump(entry: self, file: file) }

  /// The path of `file`, unpacked where only `file.zst` is there.
  public func path(_ file: String) throws -> String {
    let plain = folder.appendingPathComponent(file)
    if !file.hasSuffix(".zst"), FileManager.default.fileExists(atPath: plain.path) { return plain.path }
    let packed = file.hasSuffix(".zst") ? plain : plain.appendingPathExtension("zst")
    guard FileManager.default.fileExists(atPath: packed.path) else {
      throw TestSupportError("\(name) has no \(file)")
    }
    return try Unpacked.path(of: packed, prefix: name)
  }

  /// Whether it has `file`, packed or not.
  public func has(_ file: String) -> Bool {
    [file, file + ".zst"].contains {
      FileManager.default.fileExists(atPath: folder.appendingPathComponent($0).path)
    }
  }

  /// The contents of `file`, unpacked where it is kept as `.zst`.
  public func data(_ file: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path(file))) }

  /// The lines of `file`, unpacked where it is kept as `.zst`.
  public func lines(_ file: String) throws -> [String] {
    String(decoding: try data(file), as: UTF8.self).split(separator: "\n").map(String.init)
  }

  /// What the VMCOREINFO note says, by key.
  public func vmcoreinfo() throws -> [String: String] {
    var values: [String: String] = [:]
    for line in try lines("oracle/vmcoreinfo.txt") {
      let parts = line.split(separator: "=", maxSplits: 1)
      if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
    }
    return values
  }
}

/// One dump file of an entry.
public struct Dump: Sendable, CustomStringConvertible {
  /// The entry that it belongs to.
  public let entry: DumpEntry
  /// Its name there.
  public let file: String

  /// Entry and file, for the test report.
  public var description: String { "\(entry.name)/\(file)" }
  /// Whether it holds table pages and notes alone.
  public var isTablesOnly: Bool { file.contains(".tables.") }
  /// Its path, unpacked.
  public func path() throws -> String { try entry.path(file) }
}

extension Checkout {
  /// The corpus: the folder that KVA_CORPUS names, else `../shared/corpus`; nil where neither is there.
  public static let corpus: URL? = {
    let named = ProcessInfo.processInfo.environment["KVA_CORPUS"].map { URL(fileURLWithPath: $0) }
    let folder =
      named
      ?? root.deletingLastPathComponent().appendingPathComponent("shared").appendingPathComponent("corpus")
    return FileManager.default.fileExists(atPath: folder.path) ? folder : nil
  }()
}

/// What went wrong in the tests' own tools.
public struct TestSupportError: Error, CustomStringConvertible {
  /// What went wrong.
  public let description: String
  /// Says what went wrong.
  public init(_ description: String) { self.description = description }
}

/// Files unpacked once into a folder of the user's, for all test runs.
private enum Unpacked {
  private static let lock = NSLock()

  /// The path of `packed` without its compression. The name holds its size and its last bytes, zstd's checksum
  /// of the contents, so that a changed file is unpacked anew; the rename lets other processes see whole files.
  static func path(of packed: URL, prefix: String) throws -> String {
    let file = try FileHandle(forReadingFrom: packed)
    defer { try? file.close() }
    let size = try file.seekToEnd()
    try file.seek(toOffset: size - min(size, 8))
    let check = try (file.readToEnd() ?? Data()).map { String($0, radix: 16) }.joined()
    let cache = Scratch.base.appendingPathComponent("unpacked")
    let name = "\(prefix)-\(size)-\(check)-\(packed.deletingPathExtension().lastPathComponent)"
    let target = cache.appendingPathComponent(name)
    return try lock.withLock {
      if FileManager.default.fileExists(atPath: target.path) { return target.path }
      try FileManager.default.createDirectory(at: cache, withIntermediateDirectories: true)
      let part = cache.appendingPathComponent("\(name).\(getpid()).part")
      let done = try ChildProcess.run("/usr/bin/env", ["zstd", "-dqf", packed.path, "-o", part.path])
      guard done.status == 0 else { throw TestSupportError("zstd: \(done.standardError)") }
      guard rename(part.path, target.path) == 0 else { throw TestSupportError("cannot rename \(part.path)") }
      return target.path
    }
  }
}

/// Files that a test writes.
public enum Scratch {
  /// The folder that all test runs of this user share.
  static let base = FileManager.default.temporaryDirectory.appendingPathComponent("kva-tests-\(getuid())")

  /// Calls `body` with the path of a new folder, which is removed afterwards.
  public static func withFolder<R>(_ body: (URL) throws -> R) throws -> R {
    let folder = base.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
  }
}
