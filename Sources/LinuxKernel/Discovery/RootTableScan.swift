import Bytes
import CrashDump
import Dispatch
import KernelLayout
import Synchronization
import VMSA

/// Finds the kernel's root table in unknown memory, by the tables themselves.
///
/// A root of the kernel leads to itself: `swapper_pg_dir` lies in the kernel's image and in the linear map, so that two
/// addresses of its own space translate to it. Every page is checked for entries that a root may have; those that pass
/// are read in each shape that arm64 Linux can have, and scored by how well their tables confirm them.
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

  /// How often all memory may be read as tables: a page is read in several shapes, and raw memory of unknown address is
  /// tried at many addresses.
  private static let passes = 64

  let dump: DumpFile
  /// The page size, if the user gave it.
  let granule: Granule?
  /// The pages that may be a root, in order.
  let pages: [PhysicalAddress]
  /// Where raw memory can lie, if no address was given.
  let placement: RawPlacement

  /// The roots among them, the likeliest first, and whether the search was cut short: tables with cycles would keep it
  /// busy for ever.
  func candidates() -> (roots: [RootCandidate], isCutShort: Bool) {
    let budget = Budget(dump.tableLimit(.fourKiB) * Self.passes)
    let shapes = Self.shapes.filter { granule == nil || $0.granule == granule }
    let found = Mutex<[RootCandidate]>([])
    DispatchQueue.concurrentPerform(iterations: pages.count) { number in
      for shape in shapes {
        // The root is the first part of its page that is not empty.
        let mask = shape.granule.size - 1
        let root = PhysicalAddress(pages[number].rawValue & ~mask)
        if number > 0, pages[number - 1].rawValue & ~mask == root.rawValue { continue }
        for candidate in examine(root, shape, budget) { found.withLock { $0.append(candidate) } }
      }
    }
    return (found.withLock { $0 }.sorted(by: RootCandidate.isLikelier), budget.left == 0)
  }

  // MARK: - One page as one shape

  /// The candidates for `root` read in `shape`: none, or one for each address that memory may have.
  private func examine(_ root: PhysicalAddress, _ shape: Shape, _ budget: Budget) -> [RootCandidate] {
    guard budget.left > 0, let page = RootPage(root, shape, in: dump.memory) else { return [] }
    guard dump.isAddressUnknown else {
      guard page.tables.allSatisfy({ dump.memory.absence(at: $0) == nil }) else { return [] }
      return RootCandidate(page, in: dump, budget: budget).map { [$0] } ?? []
    }
    // Descriptors hold absolute addresses: the right placement makes the root's next-level tables fall on pages of
    // tables.
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

  /// Whether the next-level tables of `page`, if memory begins at `base`, are plausible: they look like tables, and
  /// most of the entries checked in a few of them lead to such pages, too.
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

/// Where raw memory without a load address can lie. Its start need only be page-aligned.
struct RawPlacement {
  /// The 4 KiB pages of the file that look like tables, in order.
  private let tables: [PhysicalAddress]
  /// The same as a bitmap.
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

  /// Calls `body` with each start of memory that makes `address` a page that looks like a table, until it returns
  /// false.
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

/// A page interpreted as a root table.
struct RootPage {
  let address: PhysicalAddress
  let shape: RootTableScan.Shape
  /// The next-level tables of its entries.
  let tables: [PhysicalAddress]
  /// Whether there are entries that 48-bit addresses do not reach (64 KiB pages and 52 bits).
  let reachesBeyond48: Bool

  /// nil if the page cannot be a root of this shape: it has a malformed entry, one after the end of the table, or fewer
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

  /// Whether every word of the 4 KiB at `offset` is valid in a root, and at least one is a table descriptor.
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

  /// A block descriptor of kernel memory: AF set, neither accessible nor executable at EL0.
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
