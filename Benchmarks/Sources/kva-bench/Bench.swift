import Foundation
import KernelVA
import TestSupport

/// `kva-bench`: measures kva beside a C program that does the same work and, where it is installed, drgn.
@main
struct Bench {
  private static let usage = """
    usage: kva-bench [--dump FILE]... [--size MIB] [--seed N] [--rounds N] [--keep DIR] [--kva FILE]
                     [--json FILE]

      --dump FILE   measure on this dump; on dumps made from the seed if none is named
      --size MIB    memory of the made dumps, 32 at least: 256
      --seed N      what they are made from: 1
      --rounds N    rounds, of which the fastest counts: 5
      --keep DIR    make the dumps there and leave them
      --kva FILE    the command: the one that swift build -c release made
      --json FILE   write all figures there too
    """

  private var dumps: [String] = []
  private var size = 256
  private var seed: UInt64 = 1
  private var rounds = 5
  private var kva = Checkout.root.appendingPathComponent(".build/release/kva").path
  private var json: String?
  private var keep: String?

  static func main() {
    do {
      var arguments = CommandLine.arguments.dropFirst()
      if arguments.first == "run" { return try runOne(Array(arguments.dropFirst())) }
      var bench = Bench()
      while let name = arguments.popFirst() {
        guard let value = arguments.popFirst() else { throw BenchError(usage) }
        switch name {
        case "--dump": bench.dumps.append(value)
        case "--size": bench.size = max(32, Int(value) ?? bench.size)
        case "--seed": bench.seed = UInt64(value) ?? bench.seed
        case "--rounds": bench.rounds = Int(value) ?? bench.rounds
        case "--keep": bench.keep = value
        case "--kva": bench.kva = value
        case "--json": bench.json = value
        default: throw BenchError(usage)
        }
      }
      try bench.measure()
    } catch {
      FileHandle.standardError.write(Data("\(error)\n".utf8))
      exit(1)
    }
  }

  /// What a child does: `run WORKLOAD SIDE DUMP COUNT ROUNDS`, and prints a `Measurement`.
  private static func runOne(_ arguments: [String]) throws {
    guard arguments.count == 5, let workload = Workload(rawValue: arguments[0]),
      let side = Side(rawValue: arguments[1]),
      let count = Int(arguments[3]), let rounds = Int(arguments[4])
    else { throw BenchError(usage) }
    let result = try workload.run(side, on: Subject(arguments[2]), count: count, rounds: rounds)
    print(String(decoding: try JSONEncoder().encode(result), as: UTF8.self))
  }

  private func measure() throws {
    let workspace = NSTemporaryDirectory() + "/kva-bench.\(getpid())"
    try FileManager.default.createDirectory(atPath: workspace, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: workspace) }
    let session = Session(
      kva: FileManager.default.isExecutableFile(atPath: kva) ? kva : nil, workspace: workspace, rounds: rounds)
    session.report.begin()
    for dump in dumps { try session.measure(dump, named: (dump as NSString).lastPathComponent, Session.Part.allCases) }
    if dumps.isEmpty { try measureMade(session, keep ?? workspace) }
    if let json { try session.report.write(to: json) }
  }

  /// The dumps that are made in `folder`: one of every format, and a small one of every page size and number of
  /// levels. Each is removed when it was measured, unless it is to be kept.
  private func measureMade(_ session: Session, _ folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    func measure(_ name: String, _ parts: [Session.Part], _ write: (String) throws -> Void) throws {
      let path = folder + "/" + name
      try write(path)
      try session.measure(path, named: name, parts)
      if keep == nil { try FileManager.default.removeItem(atPath: path) }
    }
    let made = MadeDump(.usual, size: size << 20, symbols: 45_000, tasks: 2000, seed: seed)
    try measure("made-elf", Session.Part.allCases, made.writeELF)
    for (codec, name) in [
      (KdumpCodec.zlib, "zlib"), (.lzo, "lzo"), (.snappy, "snappy"), (.zstd, "zstd"), (.raw, "raw"),
    ] {
      try measure("made-" + name, [.start, .translations, .pages]) { try made.writeKdump(codec, to: $0) }
    }
    for shape in MadeDump.Shape.all {
      let small = MadeDump(shape, size: min(size, 64) << 20, symbols: 1000, seed: seed)
      try measure(shape.name, [.translations], small.writeELF)
      try measure(shape.name + "-zlib", [.translations]) { try small.writeKdump(.zlib, to: $0) }
    }
  }
}
