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
  case random, sequential, sweep, readRandom, readSequential, readTwoThreads, kallsymsLoad, names, addresses

  /// What one count of it is.
  var unit: String {
    switch self {
    case .random, .sequential: "translation"
    case .sweep: "leaf"
    case .readRandom, .readSequential, .readTwoThreads: "page"
    case .kallsymsLoad: "load"
    case .names: "name of an address"
    case .addresses: "address of a name"
    }
  }

  /// Whether there is a C program to compare with.
  var hasBaseline: Bool {
    switch self {
    case .kallsymsLoad, .names, .addresses: false
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

  /// The kernel's tables in the C program's terms.
  var tables: baseline_tables {
    let regime = kernel.regime
    return baseline_tables(
      root: regime.root.rawValue, page_shift: Int32(regime.granule.pageShift), table_bits: Int32(regime.tableBits),
      low_mask: regime.format.lowMask, high_mask: regime.format.highMask, high_shift: Int32(regime.format.highShift),
      first_block_level: Int32(regime.format.firstBlockLevel))
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

/// Counts leaves.
private struct LeafCounter: SweepObserver {
  var leaves = 0
  @inline(__always)
  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) { leaves &+= 1 }
}

extension Workload {
  /// Runs it `rounds` times and keeps the shortest.
  func run(_ side: Side, on subject: Subject, count: Int, rounds: Int) throws -> Measurement {
    var best: Measurement?
    let work = try prepared(side, on: subject, count: count)
    for _ in 0..<rounds {
      let start = ContinuousClock.now
      let (done, check) = work()
      let time = ContinuousClock.now - start
      let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
      if best.map({ seconds < $0.seconds }) ?? true { best = Measurement(count: done, seconds: seconds, check: check) }
    }
    guard let best else { throw BenchError("no round was asked for") }
    return best
  }

  /// The addresses that are asked: half of them pages at random, as many in a row where they are sequential.
  private func pages(of subject: Subject, count: Int, inOrder: Bool) -> [(virtual: UInt64, physical: UInt64)] {
    let all = subject.mappedPages
    guard !all.isEmpty else { return [] }
    var generator = SeededGenerator(seed: 17)
    return (0..<count).map { inOrder ? all[$0 % all.count] : all[Int(generator.next() % UInt64(all.count))] }
  }

  /// Work that is ready to be timed.
  private func prepared(_ side: Side, on subject: Subject, count: Int) throws -> () -> (Int, UInt64) {
    let kernel = subject.kernel
    let memory = subject.dump.memory
    let pageSize = Int(kernel.regime.granule.size)
    var c: OpaquePointer?
    if side == .c {
      c = baseline_open(subject.path)
      guard c != nil else { throw BenchError("the C program does not read this format") }
    }
    var tables = subject.tables
    switch self {
    case .random, .sequential:
      let addresses = pages(of: subject, count: count, inOrder: self == .sequential).map(\.virtual)
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
          var read: UInt64 = 0
          let leaves = baseline_sweep(c, &tables, &read)
          return (Int(leaves), leaves)
        }
      }
      return {
        var counter = LeafCounter()
        _ = kernel.regime.sweep(in: memory, tableLimit: 1 << 24, observer: &counter)
        return (counter.leaves, UInt64(counter.leaves))
      }
    case .readRandom, .readSequential, .readTwoThreads:
      let order = pages(of: subject, count: count, inOrder: self != .readRandom).map(\.physical)
      if let c {
        // A block of a file may have 64 KiB.
        let page = UnsafeMutablePointer<UInt8>.allocate(capacity: 1 << 16)
        return { (count, UInt64(baseline_read(c, order, order.count, pageSize, page))) }
      }
      if self == .readTwoThreads {
        return {
          let found = Found()
          DispatchQueue.concurrentPerform(iterations: 2) { half in
            let part = half == 0 ? order[..<(order.count / 2)] : order[(order.count / 2)...]
            found.add(Self.read(part, memory, pageSize))
          }
          return (count, UInt64(found.count))
        }
      }
      return { (count, UInt64(Self.read(order[...], memory, pageSize))) }
    case .kallsymsLoad:
      return {
        let fresh = try? Kernel(in: subject.dump, debugInfo: DebugInfoSearch(isEnabled: false))
        return (1, fresh?.symbols.symbol(named: "_stext")?.address ?? 0)
      }
    case .names:
      var generator = SeededGenerator(seed: 19)
      var symbols: [UInt64] = []
      kernel.symbols.forEachSymbol {
        symbols.append($0.address)
        return true
      }
      guard !symbols.isEmpty else { throw BenchError("the dump has no kallsyms") }
      let addresses = (0..<count).map { _ in symbols[Int(generator.next() % UInt64(symbols.count))] + 2 }
      return {
        var sum: UInt64 = 0
        for address in addresses { sum &+= kernel.symbol(containing: address)?.address ?? 0 }
        return (count, sum)
      }
    case .addresses:
      var generator = SeededGenerator(seed: 23)
      var symbols: [String] = []
      kernel.symbols.forEachSymbol {
        symbols.append($0.name)
        return true
      }
      guard !symbols.isEmpty else { throw BenchError("the dump has no kallsyms") }
      let names = (0..<count).map { _ in symbols[Int(generator.next() % UInt64(symbols.count))] }
      return {
        var sum: UInt64 = 0
        for name in names { sum &+= kernel.symbols.symbol(named: name)?.address ?? 0 }
        return (count, sum)
      }
    }
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
