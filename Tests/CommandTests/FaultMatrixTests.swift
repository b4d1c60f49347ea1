import Foundation
import TestSupport
import Testing

/// Real dumps, damaged in every way: kva ends in time and within its memory, with an answer or a line that says why
/// not, and no answer is wrong unless it says that it may be.
///
/// Each dump is copied once, damaged in place and mended. The limits are what it may never need, not what it takes.
@Suite struct FaultMatrixTests {
  /// A dump, and questions whose answers the machine itself gave.
  struct Subject {
    let dump: Dump
    /// Addresses and what the MMU made of them.
    let truth: [String: UInt64?]
    let queries: [String]
    /// How many answers were held against the truth; how many said of themselves that they may be wrong; and how many
    /// came from a run that said so of all its answers.
    private(set) var held = 0
    private(set) var doubted = 0
    private(set) var excused = 0
    /// Where the image is, which arithmetic covers.
    let image: Range<UInt64>

    init(_ dump: Dump) throws {
      self.dump = dump
      let samples = try dump.entry.mmu().kernelSamples.filter { $0.virtual >> 48 == 0xffff }
      let step = max(1, samples.count / 120)
      let chosen = stride(from: 0, to: samples.count, by: step).map { samples[$0] }
      queries = chosen.map { hex($0.virtual) }
      var truth = Dictionary(chosen.map { (hex($0.virtual), $0.physical) }, uniquingKeysWith: { first, _ in first })
      if dump.entry.isNotedEarlier {
        // The MMU answered some seconds before the crash. What was mapped or freed since, one address in a hundred
        // (CorpusTests), is known by the sound dump.
        let answers = try Kva.run(["resolve", dump.path(), "--json"], input: queries.joined(separator: "\n")).objects()
        for answer in answers {
          guard let query = answer["query"] as? String, let noted = truth[query] else { continue }
          if try (answer["physical"] as? String).map(parseAddress) != noted { truth[query] = nil }
        }
        #expect(truth.count * 100 >= queries.count * 98, "\(dump): \(truth.count) of \(queries.count)")
      }
      self.truth = truth
      let info = try dump.entry.vmcoreinfo()
      let start = try parseAddress(info["SYMBOL(_stext)"] ?? "0")
      image = start..<max(start, try parseAddress(info["SYMBOL(swapper_pg_dir)"] ?? "0"))
    }

    /// Asks for all addresses and holds the answers against the truth.
    ///
    /// - Parameter isReplaced: whether tables have been overwritten with tables, which only arithmetic can tell.
    mutating func check(_ path: String, _ what: String, isReplaced: Bool = false) throws {
      let result = try run(["resolve", path, "--json", "--no-debuginfo"], input: queries.joined(separator: "\n"), what)
      // One line for all answers: the tables do not map the kernel where it is, or the file says two things of itself.
      let isDoubtful = result.errorLines.contains { $0.contains("answers may be wrong") }
      for answer in try result.objects() {
        guard let query = answer["query"] as? String, let truth = truth[query] else { continue }
        guard !isDoubtful else {
          excused += 1
          continue
        }
        guard answer["doubt"] == nil else {
          doubted += 1
          continue
        }
        held += 1
        let physical = (answer["physical"] as? String).flatMap { try? parseAddress($0) }
        guard ["mapped", "unmapped"].contains(answer["status"] as? String), physical != truth else { continue }
        if isReplaced {
          let address = try parseAddress(query)
          let isKnown = answer["region"] as? String == "linear map" || image.contains(address)
          guard isKnown, physical != nil else { continue }
        }
        Issue.record("\(dump), \(what): \(answer), truly \(truth.map(hex) ?? "unmapped")")
      }
    }

    /// Runs one command within the limits.
    @discardableResult
    func run(_ arguments: [String], input: String = "", _ what: String) throws -> ProcessResult {
      let result = try Kva.run(arguments, input: input, limit: 60, memory: 512 << 10)
      #expect((0...2).contains(result.status), "\(dump), \(what): \(arguments[0]) \(result.standardError.suffix(500))")
      for line in result.errorLines { #expect(line.hasPrefix("kva: "), "\(dump), \(what): \(line)") }
      if result.status == 2 { #expect(result.errorLines.count >= 1, "\(dump), \(what)") }
      return result
    }

    /// The other commands that go over tables and lists.
    func runOthers(_ path: String, _ seed: Int, _ what: String) throws {
      let commands = ["audit", "ptdump", "regions", "modules", "vmalloc", "tasks", "dmesg", "info", "symbols"]
      try run([commands[seed % commands.count], path, "--no-debuginfo"], what)
    }
  }

  static let dumps: [Dump] = DumpEntry.testData.flatMap { entry in
    let names = (try? FileManager.default.contentsOfDirectory(atPath: entry.folder.path)) ?? []
    return names.filter { $0.hasPrefix("vmcore") }.sorted().map {
      entry.dump($0.hasSuffix(".zst") ? String($0.dropLast(4)) : $0)
    }
  }
  static let tables = dumps.filter(\.isTablesOnly)

  private func withCopy(_ dump: Dump, _ body: (inout Subject, DamagedFile) throws -> Void) throws {
    try Scratch.withFolder { folder in
      let file = try DamagedFile(copyOf: dump.path(), at: folder.appendingPathComponent("vmcore").path)
      var subject = try Subject(dump)
      try subject.check(file.path, "sound")
      #expect(subject.held == subject.truth.count && subject.held > 100, "\(dump)")
      try body(&subject, file)
      // A warning that covers all answers may not become the way out: some 12 in 100 of them at most were covered.
      let all = subject.held + subject.doubted + subject.excused
      #expect(
        subject.held * 100 >= all * 80,
        "\(dump): \(subject.held) held, \(subject.doubted) doubted, \(subject.excused) excused")
    }
  }

  @Test("Cut short at 64 places", arguments: dumps)
  func truncated(_ dump: Dump) throws {
    try withCopy(dump) { subject, file in
      // Half of them anywhere, half among the headers.
      let anywhere = (0..<32).map { file.count / 32 * $0 + 8 }
      let headers = (0..<32).map { min(file.count - 1, 12 << ($0 / 2)) + $0 }
      for size in (anywhere + headers).sorted(by: >) {
        try file.truncate(to: size)
        try subject.check(file.path, "cut to \(size)")
      }
    }
  }

  @Test("Each field of the headers 0, 1, its largest and one more", arguments: dumps)
  func headers(_ dump: Dump) throws {
    try withCopy(dump) { subject, file in
      for field in try Self.fields(file) {
        let value = try file.number(field.offset, field.size)
        let largest = UInt64.max >> UInt64(64 - 8 * field.size)
        for other in Set([0, 1, largest, (value &+ 1) & largest]).subtracting([value]).sorted() {
          let bytes = Array([UInt8](little: other).prefix(field.size))
          try file.with(bytes, at: field.offset) {
            try subject.check(file.path, "\(hex(other)) at \(field.offset)")
          }
        }
      }
    }
  }

  /// Offset and size of each field of the headers of an ELF or kdump file, of its notes' headers, and of some of the
  /// words and descriptors that say of each page where it is.
  private static func fields(_ file: DamagedFile) throws -> [(offset: Int, size: Int)] {
    if try file.bytes(0, 4) == [0x7f, 0x45, 0x4c, 0x46] {
      let header = [
        (4, 1), (5, 1), (16, 2), (18, 2), (32, 8), (40, 8), (48, 4), (54, 2), (56, 2), (58, 2), (60, 2), (62, 2),
      ]
      let first = Int(try file.number(32, 8))
      let count = Int(try file.number(56, 2))
      let headers = (0..<count).map { first + $0 * 56 }
      let notes = try headers.first { try file.number($0, 4) == 4 }
        .map { try noteFields(file, Int(file.number($0 + 8, 8)), Int(file.number($0 + 32, 8))) }
      return header + (notes ?? [])
        + headers.enumerated().filter { $0.offset < 3 || $0.offset == count - 1 }.flatMap { _, at in
          [(at, 4), (at + 8, 8), (at + 16, 8), (at + 24, 8), (at + 32, 8), (at + 40, 8)]
        }
    }
    let block = Int(try file.number(428, 4))
    let header = [8, 424, 428, 432, 436, 440, 444, 448, 452, 456, 460].map { ($0, 4) }
    let sub = [(0, 8), (8, 4), (12, 4), (16, 8), (24, 8), (32, 8), (40, 8), (48, 8), (56, 8), (64, 8), (72, 8)]
    let bitmap = block * (1 + Int(try file.number(432, 4)))
    let pages = bitmap + block * Int(try file.number(436, 4))
    return try header + (sub + [(80, 8), (88, 8), (96, 8)]).map { (block + $0.0, $0.1) }
      + noteFields(file, Int(file.number(block + 72, 8)), Int(file.number(block + 80, 8)))
      + [bitmap, pages - 8].map { ($0 & ~7, 8) }
      + [0, 900].map { pages + $0 * 24 }.flatMap { [($0, 8), ($0 + 8, 4), ($0 + 12, 4), ($0 + 16, 8)] }
  }

  /// The three fields of each of the first notes of `count` bytes.
  private static func noteFields(_ file: DamagedFile, _ start: Int, _ count: Int) throws -> [(offset: Int, size: Int)] {
    var result: [(offset: Int, size: Int)] = []
    var here = start
    while here + 12 <= start + count, result.count < 6 {
      result += [(here, 4), (here + 4, 4), (here + 8, 4)]
      here += 12
      for size in try [file.number(here - 12, 4), file.number(here - 8, 4)] { here += Int(size + 3) & ~3 }
    }
    return result
  }

  @Test("Any 4 KiB overwritten, 1,000 times", arguments: dumps)
  func overwritten(_ dump: Dump) throws {
    try withCopy(dump) { subject, file in
      var generator = SeededGenerator(seed: UInt64(file.count))
      // Small ones are all tables: there most pages matter.
      for seed in 0..<(dump.isTablesOnly ? 110 : 75) {
        let page = Int(generator.next() % UInt64(file.count / 4096)) * 4096
        let bytes = seed % 8 == 7 ? [UInt8](repeating: UInt8(seed), count: 4096) : generator.bytes(4096)
        try file.with(bytes, at: page) {
          let what = "seed \(seed), page at \(page)"
          try subject.check(file.path, what)
          if seed % 5 == 0 { try subject.runOthers(file.path, seed / 5, what) }
        }
      }
    }
  }

  @Test("Tables in the place of tables, loops and tables that lead to themselves", arguments: tables)
  func replaced(_ dump: Dump) throws {
    try withCopy(dump) { subject, file in
      let segments = try CoreReader(path: file.path).segments
      let pages = segments.flatMap { segment in
        stride(from: UInt64(0), to: segment.fileSize / 4096 * 4096, by: 4096).map {
          (offset: Int(segment.offset + $0), physical: segment.physical + $0)
        }
      }
      var generator = SeededGenerator(seed: UInt64(pages.count))
      for seed in 0..<60 {
        let from = pages[Int(generator.next() % UInt64(pages.count))]
        let to = pages[Int(generator.next() % UInt64(pages.count))]
        try file.with(try file.bytes(from.offset, 4096), at: to.offset) {
          try subject.check(file.path, "\(hex(from.physical)) over \(hex(to.physical))", isReplaced: true)
          if seed % 4 == 0 { try subject.runOthers(file.path, seed / 4, "a table over another") }
        }
        // An entry of one table leads to another, or to itself.
        let entry = to.offset + Int(generator.next() % 512) * 8
        let target = (seed % 3 == 0 ? to : from).physical | 3
        try file.with([UInt8](little: target), at: entry) {
          try subject.check(file.path, "\(hex(target)) at \(entry)", isReplaced: true)
          if seed % 4 == 1 { try subject.runOthers(file.path, seed / 4, "a loop") }
        }
      }
    }
  }
}
