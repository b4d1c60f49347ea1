import Foundation
import KernelVA
import TestSupport

/// `kva-bench`: measures kva beside a C program that does the same work and, where it is installed, drgn.
@main
struct Bench {
  private static let usage = """
    usage: kva-bench [--dump FILE]... [--size MIB] [--seed N] [--rounds N] [--kva FILE] [--json FILE]

      --dump FILE   measure on this dump; on dumps made from the seed if none is named
      --size MIB    memory of the made dumps: 256
      --seed N      what they are made from: 1
      --rounds N    rounds, of which the fastest counts: 5
      --kva FILE    the command: the one that swift build -c release made
      --json FILE   write all figures there too
    """

  private var dumps: [String] = []
  private var size = 256
  private var seed: UInt64 = 1
  private var rounds = 5
  private var kva = Checkout.root.appendingPathComponent(".build/release/kva").path
  private var json: String?

  static func main() {
    do {
      var arguments = CommandLine.arguments.dropFirst()
      if arguments.first == "run" { return try runOne(Array(arguments.dropFirst())) }
      var bench = Bench()
      while let name = arguments.popFirst() {
        guard let value = arguments.popFirst() else { throw BenchError(usage) }
        switch name {
        case "--dump": bench.dumps.append(value)
        case "--size": bench.size = Int(value) ?? bench.size
        case "--seed": bench.seed = UInt64(value) ?? bench.seed
        case "--rounds": bench.rounds = Int(value) ?? bench.rounds
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
    if dumps.isEmpty { try measureMade(session, workspace) }
    if let json { try session.report.write(to: json) }
  }

  /// The dumps that are made: one of every format, and a small one of every page size and number of levels.
  private func measureMade(_ session: Session, _ workspace: String) throws {
    let path = workspace + "/vmcore"
    let made = MadeDump(.usual, size: size << 20, symbols: 45_000, seed: seed)
    try made.writeELF(to: path)
    try session.measure(path, named: "made, ELF", Session.Part.allCases)
    for (codec, name) in [
      (KdumpCodec.zlib, "made, zlib"), (.lzo, "made, lzo"), (.snappy, "made, snappy"), (.zstd, "made, zstd"),
      (.raw, "made, raw"),
    ] {
      try made.writeKdump(codec, to: path)
      try session.measure(path, named: name, [.start, .translations, .pages])
    }
    for shape in MadeDump.Shape.all {
      let small = MadeDump(shape, size: min(size, 64) << 20, symbols: 1000, seed: seed)
      try small.writeELF(to: path)
      try session.measure(path, named: shape.name, [.translations])
      try small.writeKdump(.zlib, to: path)
      try session.measure(path, named: shape.name + " zlib", [.translations])
    }
  }
}
