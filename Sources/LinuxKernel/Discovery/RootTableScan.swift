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

    /// The kernel's half of the address space with a root of this shape.
    func regime(root: PhysicalAddress) -> TranslationRegime {
      .kernel(granule, tableBits: tableBits, addressBits: tableBits, physicalBits: nil, root: root)
    }
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
  /// Where memory can lie, if nobody said it.
  let placement: RawPlacement

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
    // Entries hold absolute addresses: memory lies so that the tables that the root leads to are pages of tables.
    guard let lowest = page.tables.min()?.rawValue else { return [] }
    var result: [RootCandidate] = []
    placement.forEachBase(putting: lowest, of: shape.granule) { base in
      guard budget.left > 0 else { return false }
      budget.spend(1)
      guard leadOn(page, from: base, budget),
        let placed = try? dump.placed(at: PhysicalAddress(base)),
        let moved = RootPage(root &+ base, shape, in: placed.memory),
        let candidate = RootCandidate(moved, in: placed, budget: budget)
      else { return true }
      result.append(candidate)
      return true
    }
    return result
  }

  /// Whether the tables that `page` leads to, if memory begins at `base`, may be some: pages that look like tables, and
  /// most of the entries that are looked at in a few of them lead to such pages, too.
  private func leadOn(_ page: RootPage, from base: UInt64, _ budget: Budget) -> Bool {
    let granule = page.shape.granule
    guard page.tables.allSatisfy({ placement.isTable(at: $0.rawValue, of: granule, from: base) }) else { return false }
    let regime = page.shape.regime(root: page.address)
    let level = regime.startLevel + 1
    guard level < 3 else { return true }
    return page.tables.prefix(Self.tablesLookedAt).allSatisfy { table in
      guard budget.spend(1),
        let bytes = try? dump.memory.bytes(at: PhysicalAddress(table.rawValue - base), count: Int(granule.size))
      else { return false }
      var tables = 0
      var count = 0
      for index in 0..<(bytes.count / 8) where count < Self.entriesLookedAt {
        guard let word = bytes.rawSpan.integer(UInt64.self, at: index * 8),
          Descriptor(rawValue: word).kind(level: level, format: regime.format) == .table
        else { continue }
        let next = regime.format.outputAddress(word, shift: granule.pageShift).rawValue
        count += 1
        tables += placement.isTable(at: next, of: granule, from: base) ? 1 : 0
      }
      return tables * 2 >= count
    }
  }

  private static let tablesLookedAt = 4
  private static let entriesLookedAt = 16
}

/// Where raw memory can lie that nobody said the address of. No more is asked of its beginning than that it is that of
/// a page.
struct RawPlacement {
  /// The 4 KiB pages of the file that look like tables, in order.
  private let tables: [PhysicalAddress]
  /// The same as a bit for each page.
  private let map: [UInt64]

  /// - Parameter tables: the 4 KiB pages of the file that look like tables, in order.
  init(_ tables: [PhysicalAddress]) {
    self.tables = tables
    var map = [UInt64](repeating: 0, count: tables.last.map { Int($0.rawValue >> 18) + 1 } ?? 0)
    for table in tables { map[Int(table.rawValue >> 18)] |= 1 << (table.rawValue >> 12 & 63) }
    self.map = map
  }

  private func isTable(_ offset: UInt64) -> Bool {
    let index = offset >> 18
    return index < UInt64(map.count) && map[Int(index)] >> (offset >> 12 & 63) & 1 == 1
  }

  /// Whether a table of `granule` may be at `address` of memory that begins at `base`.
  func isTable(at address: UInt64, of granule: Granule, from base: UInt64) -> Bool {
    guard address >= base else { return false }
    return stride(from: address - base, to: address - base + granule.size, by: 4096).contains { isTable($0) }
  }

  /// Calls `body` with the addresses that memory can begin at so that the table at `address` is a page of one, until it
  /// returns false.
  func forEachBase(putting address: UInt64, of granule: Granule, _ body: (UInt64) -> Bool) {
    for table in tables {
      // The first 4 KiB of a larger table may be empty.
      for piece in stride(from: UInt64(0), to: min(granule.size, table.rawValue + 1), by: 4096) {
        if piece > 0, isTable(table.rawValue - piece) { break }
        guard address &+ piece >= table.rawValue else { continue }
        guard body(address + piece - table.rawValue) else { return }
      }
    }
  }
}

/// A page read as a root table.
struct RootPage {
  let address: PhysicalAddress
  let shape: RootTableScan.Shape
  /// The tables that its entries lead to.
  let tables: [PhysicalAddress]
  /// Whether entries stand where addresses of 48 bits do not reach (64 KiB pages and 52 bits).
  let reachesBeyond48: Bool

  /// nil if the page cannot be a root of this shape: an entry that cannot be, one after the end of the table, or fewer
  /// than two.
  init?(_ address: PhysicalAddress, _ shape: RootTableScan.Shape, in memory: any PhysicalMemory) {
    guard let bytes = try? memory.bytes(at: address, count: Int(shape.granule.size)) else { return nil }
    let regime = shape.regime(root: address)
    let tableBits = regime.format.tableBits
    var tables: [PhysicalAddress] = []
    var lowest = Int.max
    var count = 0
    for index in 0..<(bytes.count / 8) {
      guard let word = bytes.rawSpan.integer(UInt64.self, at: index * 8), word != 0 else { continue }
      guard index < regime.rootEntries else { return nil }
      let descriptor = Descriptor(rawValue: word)
      switch descriptor.kind(level: regime.startLevel, format: regime.format) {
      case .table:
        guard descriptor.isPlainTable(tableBits) else { return nil }
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
    let bits = DescriptorFormat.anyTableBits
    var tables = 0
    for index in 0..<(page.byteCount / 8) {
      guard let word = page.integer(UInt64.self, at: index &* 8), word != 0 else { continue }
      if Descriptor(rawValue: word).isPlainTable(bits) {
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
