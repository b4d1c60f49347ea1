import Foundation
import KernelVA

/// Measures one dump after another and reports.
final class Session {
  /// What is measured of a dump.
  enum Part: CaseIterable {
    /// Starting the command.
    case start
    /// Translating and sweeping.
    case translations
    /// Reading pages.
    case pages
    /// Names and addresses.
    case names
    /// The stacks of all tasks.
    case stacks
    /// The command answering many requests, and printing all mappings.
    case streams
  }

  let report = Report()
  private let kva: String?
  private let workspace: String
  private let rounds: Int
  private let drgn: Drgn?
  private let own = Child.products + "/kva-bench"

  init(kva: String?, workspace: String, rounds: Int) {
    self.kva = kva
    self.workspace = workspace
    self.rounds = rounds
    drgn = Drgn(workspace: workspace)
  }

  /// Measures `parts` of the dump at `path`.
  func measure(_ path: String, named name: String, _ parts: [Part]) throws {
    let subject = try Subject(path)
    let list = workspace + "/addresses"
    let pages = Workload.pages(of: subject, count: 16384, inOrder: false)
    guard let first = pages.first, let root = subject.kernel.facts.swapperVirtual?.value.rawValue else {
      throw BenchError("\(path): nothing is mapped")
    }
    func write(_ addresses: some Sequence<UInt64>) throws {
      let lines = addresses.map { String($0, radix: 16) + " " + String(root, radix: 16) }
      try lines.joined(separator: "\n").write(toFile: list, atomically: true, encoding: .utf8)
    }
    try write(pages.map(\.virtual))
    if parts.contains(.start) {
      start(path, name, subject, first.virtual, list)
    }
    if parts.contains(.translations) {
      add(.random, path, name, 1 << 18, drgn?.run("translate", path, list, rounds: min(rounds, 3)))
      add(.sequential, path, name, 1 << 18)
      add(.sweep, path, name, 1)
    }
    if parts.contains(.pages) {
      add(.readVirtual, path, name, pages.count, drgn?.run("read", path, list, rounds: min(rounds, 3)))
      for workload in [Workload.readRandom, .readSequential, .readTwoThreads, .readAtOnce] {
        add(workload, path, name, 16384)
      }
    }
    if parts.contains(.names) {
      let addresses = Workload.named(subject, count: 10_000)
      if !addresses.isEmpty {
        try write(addresses)
        add(.kallsymsLoad, path, name, 1)
        add(.names, path, name, 10_000, drgn?.run("names", path, list, rounds: min(rounds, 3)))
        add(.addresses, path, name, 10_000)
      }
    }
    if parts.contains(.stacks), !subject.kernel.allTasks.isEmpty {
      add(.stacks, path, name, subject.kernel.allTasks.count, drgn?.run("stacks", path, list, rounds: min(rounds, 3)))
    }
    if parts.contains(.streams) { try streams(path, name, pages.map(\.virtual)) }
  }

  /// Runs a workload on both sides by turns, each in a process of its own.
  private func add(
    _ workload: Workload, _ path: String, _ name: String, _ count: Int, _ other: (Measurement, Child)? = nil
  ) {
    var row = Row(work: workload.rawValue, dump: name, unit: workload.unit)
    for _ in 0..<2 {
      for side in workload.hasBaseline ? Side.allCases : [.kva] {
        guard
          let child = try? Child.run(own, ["run", workload.rawValue, side.rawValue, path, "\(count)", "\(rounds)"]),
          child.status == 0, let result = try? JSONDecoder().decode(Measurement.self, from: child.output)
        else {
          row.note = "\(side.rawValue): no answer"
          continue
        }
        let figure = Row.Figure(value: result.seconds * 1e9 / Double(max(1, result.count)), peakKiB: child.peakKiB)
        if side == .kva { row.kva = better(figure, row.kva) } else { row.c = better(figure, row.c) }
      }
    }
    if let (measurement, child) = other {
      row.drgn = Row.Figure(
        value: measurement.seconds * 1e9 / Double(max(1, measurement.count)), peakKiB: child.peakKiB)
    }
    report.add(row)
  }

  private func better(_ figure: Row.Figure, _ other: Row.Figure?) -> Row.Figure {
    other.map { $0.value < figure.value ? $0 : figure } ?? figure
  }

  /// From starting a process to its first answer.
  private func start(_ path: String, _ name: String, _ subject: Subject, _ address: UInt64, _ list: String) {
    let tables = subject.tables
    let hex = "0x" + String(address, radix: 16)
    let baseline = Child.products + "/cold-baseline"
    func figure(_ child: Child?) -> Row.Figure? {
      child.map { Row.Figure(value: $0.seconds * 1e3, peakKiB: $0.peakKiB) }
    }
    var row = Row(work: "start, one address", dump: name, unit: "ms")
    row.c = figure(
      try? Child.best(
        of: 4 * rounds, baseline,
        [
          path, "\(tables.root)", "\(tables.page_shift)", "\(tables.table_bits)", "\(tables.low_mask)",
          "\(tables.high_mask)", "\(tables.high_shift)", hex,
        ]))
    if let drgn, let child = drgn.run("cold", path, list, rounds: 1)?.child { row.drgn = figure(child) }
    guard let kva else {
      row.note = "no kva: swift build -c release"
      report.add(row)
      return
    }
    row.kva = figure(try? Child.best(of: 4 * rounds, kva, ["resolve", path, hex, "--no-debuginfo"]))
    report.add(row)
    var symbol = Row(work: "start, one symbol", dump: name, unit: "ms")
    symbol.kva = figure(try? Child.best(of: 4 * rounds, kva, ["resolve", path, "_stext", "--no-debuginfo"]))
    report.add(symbol)
  }

  /// The command with many requests on its standard input, and with much to print.
  private func streams(_ path: String, _ name: String, _ addresses: [UInt64]) throws {
    guard let kva else { return }
    let requests = workspace + "/requests"
    let output = workspace + "/output"
    try addresses.map { "0x" + String($0, radix: 16) + "\n" }.joined().write(
      toFile: requests, atomically: true, encoding: .utf8)
    func rate(_ work: String, _ unit: String, _ arguments: [String], input: String?, _ amount: (Child) -> Double) {
      var row = Row(work: work, dump: name, unit: unit, isRate: true)
      for _ in 0..<rounds {
        guard let child = try? Child.run(kva, arguments, input: input, output: output), child.status == 0 else {
          row.note = "this kva cannot"
          break
        }
        let figure = Row.Figure(value: amount(child) / child.seconds, peakKiB: child.peakKiB)
        row.kva = row.kva.map { $0.value > figure.value ? $0 : figure } ?? figure
      }
      report.add(row)
    }
    rate("resolve, many", "answers/s", ["resolve", path, "--json", "--no-debuginfo"], input: requests) { _ in
      Double(addresses.count)
    }
    let lines = addresses.enumerated().map {
      "{\"id\":\($0),\"command\":\"resolve\",\"arguments\":[\"0x\(String($1, radix: 16))\"]}\n"
    }
    try lines.joined().write(toFile: requests, atomically: true, encoding: .utf8)
    rate("batch", "requests/s", ["batch", path, "--no-debuginfo"], input: requests) { _ in Double(addresses.count) }
    rate("ptdump", "MB/s", ["ptdump", path, "--no-debuginfo"], input: nil) { _ in
      let size = (try? FileManager.default.attributesOfItem(atPath: output))?[.size] as? Int ?? 0
      return Double(size) / 1e6
    }
  }
}
