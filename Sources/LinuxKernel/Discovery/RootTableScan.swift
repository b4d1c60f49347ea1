import Bytes
import CrashDump
import Dispatch
import KernelLayout
import Synchronization
import VMSA

/// Finds the kernel's root table in memory that nothing is known of, by the tables themselves.
///
/// A root of the kernel leads to itself: `swapper_pg_dir` lies in the kernel's image and in the linear map, so
/// that two addresses of its own space translate to it. Every page is looked at for entries that a root may
/// have; what passes is read as each shape that arm64 Linux can have, and believed as far as its tables bear
/// it out.
struct RootTableScan {
  /// A shape that the kernel's tables can have.
  struct Shape: Hashable {
    var granule: Granule
    var tableBits: Int
  }

  static let shapes = Granule.allCases.flatMap { granule in
    PagingParameters.widths(of: granule).map { Shape(granule: granule, tableBits: $0) }
  }

  /// How often all memory may be gone through as tables: a page is read as several shapes, and raw memory of
  /// unknown address is tried at many places.
  private static let passes = 64

  let dump: DumpFile
  /// The page size, where the user says it.
  let granule: Granule?
  /// The pages that may be a root, in order.
  let pages: [PhysicalAddress]

  /// The roots among them, the likeliest first, and whether the search was given up before its end: tables
  /// that lead to each other in circles would keep it busy for ever.
  func candidates() -> (roots: [RootCandidate], isCutShort: Bool) {
    let budget = Budget(dump.tableLimit(.fourKiB) * Self.passes)
    let shapes = Self.shapes.filter { granule == nil || $0.granule == granule }
    let found = Mutex<[RootCandidate]>([])
    DispatchQueue.concurrentPerform(iterations: pages.count) { number in
      for shape in shapes {
        // The root is the first of its page's parts that is not empty.
        let mask = shape.granule.size - 1
        let root = PhysicalAddress(pages[number].rawValue & ~mask)
        if number > 0, pages[number - 1].rawValue & ~mask == root.rawValue { continue }
        for candidate in examine(root, shape, budget) { found.withLock { $0.append(candidate) } }
      }
    }
    return (found.withLock { $0 }.sorted(by: RootCandidate.isLikelier), budget.left == 0)
  }

  // MARK: - One page as one shape

  /// What `root` is as a table of `shape`: nothing, or a root at each place that memory may have.
  private func examine(_ root: PhysicalAddress, _ shape: Shape, _ budget: Budget) -> [RootCandidate] {
    guard budget.left > 0, let page = RootPage(root, shape, in: dump.memory) else { return [] }
    guard dump.isAddressUnknown else {
      guard page.tables.allSatisfy({ dump.memory.absence(at: $0) == nil }) else { return [] }
      return RootCandidate(page, in: dump, budget: budget).map { [$0] } ?? []
    }
    // Entries hold absolute addresses: memory lies so that all tables that the root leads to are in it.
    let size = dump.memory.ranges.last?.upperBound.rawValue ?? 0
    guard let lowest = page.tables.min()?.rawValue, let highest = page.tables.max()?.rawValue,
      highest - lowest < size
    else { return [] }
    let step = RawMemory.alignment
    var base = highest >= size ? (highest - size + step) & ~(step - 1) : 0
    var result: [RootCandidate] = []
    while base <= lowest, budget.left > 0 {
      defer { base += step }
      budget.spend(1)
      // A look at the tables that it would lead to settles nearly every place.
      guard page.tables.allSatisfy({ leadsOn($0.rawValue - base, shape) }),
        let placed = try? dump.placed(at: PhysicalAddress(base)),
        let moved = RootPage(root &+ base, shape, in: placed.memory),
        let candidate = RootCandidate(moved, in: placed, budget: budget)
      else { continue }
      result.append(candidate)
    }
    return result
  }

  /// Whether the page at `offset` of raw memory may be a table that a root leads to: not empty, and every word
  /// an entry.
  private func leadsOn(_ offset: UInt64, _ shape: Shape) -> Bool {
    guard let bytes = try? dump.memory.bytes(at: PhysicalAddress(offset), count: Int(shape.granule.size)) else {
      return false
    }
    return bytes.rawSpan.isTable
  }
}

/// Raw memory that nobody said the address of.
enum RawMemory {
  /// It begins at a multiple of this, on every machine known.
  static let alignment: UInt64 = 2 << 20
}

/// A page read as a root table.
struct RootPage {
  let address: PhysicalAddress
  let shape: RootTableScan.Shape
  /// The tables that its entries lead to.
  let tables: [PhysicalAddress]
  /// Whether entries stand where addresses of 48 bits do not reach (64 KiB pages and 52 bits).
  let reachesBeyond48: Bool

  /// nil where the page cannot be a root of this shape: an entry that cannot be, one behind the end of the
  /// table, or fewer than two.
  init?(_ address: PhysicalAddress, _ shape: RootTableScan.Shape, in memory: any PhysicalMemory) {
    guard let bytes = try? memory.bytes(at: address, count: Int(shape.granule.size)) else { return nil }
    let regime = TranslationRegime.kernel(
      shape.granule, tableBits: shape.tableBits, addressBits: shape.tableBits, physicalBits: nil,
      root: address)
    var tables: [PhysicalAddress] = []
    var lowest = Int.max
    var count = 0
    for index in 0..<(bytes.count / 8) {
      guard let word = bytes.rawSpan.integer(UInt64.self, at: index * 8), word != 0 else { continue }
      guard index < regime.rootEntries else { return nil }
      let descriptor = Descriptor(rawValue: word)
      switch descriptor.kind(level: regime.startLevel, format: regime.format) {
      case .table:
        guard descriptor.isPlainTable else { return nil }
        tables.append(regime.format.outputAddress(word, shift: shape.granule.pageShift))
      case .block:
        guard RootPage.isKernelBlock(word) else { return nil }
      default: return nil
      }
      lowest = min(lowest, index)
      count += 1
    }
    guard count >= 2, !tables.isEmpty else { return nil }
    self.address = address
    self.shape = shape
    self.tables = tables
    reachesBeyond48 =
      shape.granule == .sixtyFourKiB && shape.tableBits == 52 && lowest < PagingParameters.rootEntriesBeyond48Bits
  }

  /// Whether every word of the 4 KiB at `offset` may stand in a root, and one leads to a table.
  static func isPlausible(_ bytes: RawSpan, at offset: Int) -> Bool {
    guard let page = bytes.slice(at: offset, count: min(4096, bytes.byteCount - offset)) else { return false }
    var tables = 0
    for index in 0..<(page.byteCount / 8) {
      guard let word = page.integer(UInt64.self, at: index &* 8), word != 0 else { continue }
      if Descriptor(rawValue: word).isPlainTable {
        tables &+= 1
      } else if !isKernelBlock(word) {
        return false
      }
    }
    return tables > 0
  }

  /// A block entry of kernel memory: AF set, no access for EL0, never executed there.
  @inline(__always)
  static func isKernelBlock(_ word: UInt64) -> Bool {
    let bits = Descriptor.Bits(rawValue: word)
    return bits.intersection([.valid, .table, .af, .ap1, .uxn]) == [.valid, .af, .uxn]
  }
}

extension RawSpan {
  /// Whether every word is 0 or a valid entry, and not all are 0.
  var isTable: Bool {
    var count = 0
    for offset in stride(from: 0, to: byteCount - 7, by: 8) {
      guard let word = integer(UInt64.self, at: offset), word != 0 else { continue }
      guard Descriptor(rawValue: word).has(.valid) else { return false }
      count += 1
    }
    return count > 0
  }
}
