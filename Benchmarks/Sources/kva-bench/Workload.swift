import CBaseline
import Foundation
import KernelVA
import TestSupport

/// Who does the work: kva's library, or the C program that does nothing else.
enum Side: String, CaseIterable {
  case kva
  case c
}

/// What is measured inside one process, on one dump.
enum Workload: String, CaseIterable {
  /// Translations of pages at random, and one after another.
  case random, sequential
  /// One pass over all tables.
  case sweep
  /// Pages at random by virtual address.
  case readVirtual
  /// Pages by physical address, no page twice: in any order, in order, in order by two threads.
  case readRandom, readSequential, readTwoThreads
  /// All of them by one call.
  case readAtOnce
  /// The kernel found and the first name looked up; names of addresses and addresses of names after that.
  case kallsymsLoad, names, addresses
  /// The stack of every task, each frame with its name.
  case stacks

  /// What one count of it is.
  var unit: String {
    switch self {
    case .random, .sequential: "ns/translation"
    case .sweep: "ns/leaf"
    case .readVirtual, .readRandom, .readSequential, .readTwoThreads, .readAtOnce: "ns/page"
    case .kallsymsLoad: "ns"
    case .names, .addresses: "ns/name"
    case .stacks: "ns/task"
    }
  }

  /// Whether there is a C program to compare with.
  var hasBaseline: Bool {
    switch self {
    case .kallsymsLoad, .names, .addresses, .stacks: false
    default: true
    }
  }
}

/// What came of it.
struct Measurement: Codable {
  /// How many translations, leaves, pages or names.
  var count: Int
  /// The shortest time that one round took.
  var seconds: Double
  /// The same for both sides: they did the same work.
  var check: UInt64
}

/// A dump that is open on both sides.
struct Subject {
  let dump: DumpFile
  let kernel: Kernel
  let path: String

  init(_ path: String) throws {
    self.path = path
    dump = try DumpFile(path: path)
    kernel = try Kernel(in: dump, debugInfo: DebugInfoSearch(isEnabled: false))
  }

  /// The same file opened anew: nothing of it is cached but by the system.
  func reopened() throws -> Subject { try Subject(path) }

  /// The kernel's tables in the C program's terms.
  var tables: baseline_tables {
    let regime = kernel.regime
    return baseline_tables(
      root: regime.root.rawValue, page_shift: Int32(regime.granule.pageShift), table_bits: Int32(regime.tableBits),
      low_mask: regime.format.lowMask, high_mask: regime.format.highMask, high_shift: Int32(regime.format.highShift))
  }

  /// Every mapped page of the kernel that lies in the dump: its virtual and physical address.
  var mappedPages: [(virtual: UInt64, physical: UInt64)] {
    var collector = PageCollector(pageSize: kernel.regime.granule.size, limit: 1 << 20)
    _ = kernel.regime.sweep(in: dump.memory, tableLimit: 1 << 20, observer: &collector)
    return collector.pages.filter { dump.memory.absence(at: PhysicalAddress($0.physical)) == nil }
  }
}

/// Gathers pages, those of blocks too.
private struct PageCollector: SweepObserver {
  let pageSize: UInt64
  let limit: Int
  var pages: [(virtual: UInt64, physical: UInt64)] = []

  init(pageSize: UInt64, limit: Int) {
    self.pageSize = pageSize
    self.limit = limit
  }

  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    var offset: UInt64 = 0
    while offset < entry.size, pages.count < limit {
      pages.append((entry.virtual.rawValue + offset, physical.rawValue + offset))
      offset += pageSize
    }
  }
  mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {}
}

/// Counts leaves, and adds up where each leads from and to.
private struct LeafCounter: SweepObserver {
  var leaves = 0
  var sum: UInt64 = 0
  @inline(__always)
  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    leaves &+= 1
    sum &+= entry.virtual.rawValue ^ physical.rawValue
  }
}

extension Workload {
  /// Runs it `rounds` times and keeps the shortest.
  func run(_ side: Side, on subject: Subject, count: Int, rounds: Int) throws -> Measurement {
    var best: Measurement?
    let work = try prepared(side, on: subject, count: count)
    for _ in 0..<rounds {
      let start = ContinuousClock.now
      let (done, check) = try work()
      let time = ContinuousClock.now - start
      let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
      if best.map({ seconds < $0.seconds }) ?? true { best = Measurement(count: done, seconds: seconds, check: check) }
    }
    guard let best else { throw BenchError("no round was asked for") }
    return best
  }

  /// `count` mapped pages: at random, or one after another.
  static func pages(of subject: Subject, count: Int, inOrder: Bool) -> [(virtual: UInt64, physical: UInt64)] {
    let all = subject.mappedPages
    guard !all.isEmpty else { return [] }
    var generator = SeededGenerator(seed: 17)
    return (0..<count).map { inOrder ? all[$0 % all.count] : all[Int(generator.next() % UInt64(all.count))] }
  }

  /// `count` physical pages at most, none twice.
  private static func frames(of subject: Subject, count: Int, inOrder: Bool) -> [UInt64] {
    let all = Set(subject.mappedPages.map(\.physical)).sorted()
    var generator = SeededGenerator(seed: 29)
    return Array((inOrder ? all : all.shuffled(using: &generator)).prefix(count))
  }

  /// Work that is ready to be timed.
  private func prepared(_ side: Side, on subject: Subject, count: Int) throws -> () throws -> (Int, UInt64) {
    let kernel = subject.kernel
    let memory = subject.dump.memory
    let pageSize = Int(kernel.regime.granule.size)
    var c: OpaquePointer?
    if side == .c {
      c = baseline_open(subject.path)
      guard c != nil else { throw BenchError("the C program does not read this format") }
    }
    var tables = subject.tables
    // A block of a file may have 64 KiB.
    let page = UnsafeMutablePointer<UInt8>.allocate(capacity: 1 << 16)
    switch self {
    case .random, .sequential:
      let addresses = Self.pages(of: subject, count: count, inOrder: self == .sequential).map(\.virtual)
      if let c { return { (count, baseline_translate(c, &tables, addresses, addresses.count)) } }
      return {
        let translator = kernel.translator()
        var sum: UInt64 = 0
        for address in addresses {
          sum &+= translator.translate(VirtualAddress(address)).leaf?.physical.rawValue ?? 0
        }
        return (count, sum)
      }
    case .sweep:
      if let c {
        return {
          var sum: UInt64 = 0
          return (Int(baseline_sweep(c, &tables, &sum)), sum)
        }
      }
      return {
        var counter = LeafCounter()
        _ = kernel.regime.sweep(in: memory, tableLimit: 1 << 24, observer: &counter)
        return (counter.leaves, counter.sum)
      }
    case .readVirtual:
      let pages = Self.pages(of: subject, count: count, inOrder: false)
      if side == .c { return { (count, Self.readAnew(subject.path, pages.map(\.physical), pageSize, page)) } }
      return {
        let fresh = try subject.reopened().kernel
        var found: UInt64 = 0
        for address in pages {
          var span = MutableRawSpan(_unsafeStart: page, byteCount: pageSize)
          if (try? fresh.read(VirtualAddress(address.virtual), into: &span)) != nil { found += 1 }
        }
        return (count, found)
      }
    case .readRandom, .readSequential, .readTwoThreads:
      let order = Self.frames(of: subject, count: count, inOrder: self != .readRandom)
      if side == .c { return { (order.count, Self.readAnew(subject.path, order, pageSize, page)) } }
      let isShared = self == .readTwoThreads
      return {
        let fresh = try subject.reopened().dump.memory
        guard isShared else { return (order.count, UInt64(Self.read(order[...], fresh, pageSize))) }
        let found = Found()
        DispatchQueue.concurrentPerform(iterations: 2) { half in
          let part = half == 0 ? order[..<(order.count / 2)] : order[(order.count / 2)...]
          found.add(Self.read(part, fresh, pageSize))
        }
        return (order.count, UInt64(found.count))
      }
    case .readAtOnce:
      let order = Self.run(in: Self.frames(of: subject, count: .max, inOrder: true), count, UInt64(pageSize))
      guard let start = order.first else { throw BenchError("the dump has no pages") }
      if side == .c { return { (order.count, Self.readAnew(subject.path, order, pageSize, page)) } }
      let buffer = UnsafeMutableRawPointer.allocate(byteCount: order.count * pageSize, alignment: 64)
      buffer.initializeMemory(as: UInt8.self, repeating: 1, count: order.count * pageSize)
      return {
        let fresh = try subject.reopened().dump.memory
        var span = MutableRawSpan(_unsafeStart: buffer, byteCount: order.count * pageSize)
        try fresh.read(PhysicalAddress(start), into: &span)
        return (order.count, UInt64(order.count))
      }
    case .kallsymsLoad:
      let symbols = Self.symbols(subject)
      let name = symbols.isEmpty ? "_stext" : symbols[symbols.count / 2].name
      return { (1, try subject.reopened().kernel.symbols.symbol(named: name)?.address ?? 0) }
    case .names:
      let addresses = Self.named(subject, count: count)
      return {
        var sum: UInt64 = 0
        for address in addresses { sum &+= kernel.symbol(containing: address)?.address ?? 0 }
        return (count, sum)
      }
    case .stacks:
      return {
        let tasks = kernel.allTasks
        var frames = 0
        for task in tasks { frames += kernel.stack(of: task).frames.count }
        return (tasks.count, UInt64(frames))
      }
    case .addresses:
      let symbols = Self.symbols(subject)
      var generator = SeededGenerator(seed: 23)
      let names = (0..<count).map { _ in symbols[Int(generator.next() % UInt64(symbols.count))].name }
      return {
        var sum: UInt64 = 0
        for name in names { sum &+= kernel.symbols.symbol(named: name)?.address ?? 0 }
        return (count, sum)
      }
    }
  }

  /// The kernel's symbols, those of modules left out.
  private static func symbols(_ subject: Subject) -> [Symbol] {
    var symbols: [Symbol] = []
    subject.kernel.symbols.forEachSymbol {
      symbols.append($0)
      return true
    }
    return symbols
  }

  /// `count` addresses of named things at random.
  static func named(_ subject: Subject, count: Int) -> [UInt64] {
    let symbols = symbols(subject)
    guard !symbols.isEmpty else { return [] }
    var generator = SeededGenerator(seed: 19)
    return (0..<count).map { _ in symbols[Int(generator.next() % UInt64(symbols.count))].address + 2 }
  }

  /// The first `count` of `frames` that lie one behind the other, or the most that do.
  private static func run(in frames: [UInt64], _ count: Int, _ size: UInt64) -> [UInt64] {
    var best: [UInt64] = []
    var current: [UInt64] = []
    for frame in frames {
      if let last = current.last, frame != last + size { current = [] }
      current.append(frame)
      if current.count > best.count { best = current }
      if best.count >= count { break }
    }
    return best
  }

  /// Opens the dump in C and reads each page; how many were there.
  private static func readAnew(
    _ path: String, _ order: [UInt64], _ pageSize: Int, _ page: UnsafeMutablePointer<UInt8>
  ) -> UInt64 {
    guard let dump = baseline_open(path) else { return 0 }
    defer { baseline_close(dump) }
    return UInt64(baseline_read(dump, order, order.count, pageSize, page))
  }

  /// Reads each page; how many were there.
  private static func read(_ pages: ArraySlice<UInt64>, _ memory: any PhysicalMemory, _ size: Int) -> Int {
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
    defer { buffer.deallocate() }
    var found = 0
    for page in pages {
      var span = MutableRawSpan(_unsafeStart: buffer, byteCount: size)
      if (try? memory.read(PhysicalAddress(page), into: &span)) != nil { found += 1 }
    }
    return found
  }
}

/// A count that two threads add to.
private final class Found: @unchecked Sendable {
  private let lock = NSLock()
  private(set) var count = 0
  func add(_ more: Int) { lock.withLock { count += more } }
}

/// Why something cannot be measured.
struct BenchError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
