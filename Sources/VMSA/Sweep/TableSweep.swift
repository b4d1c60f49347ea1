/// An entry that a sweep reads.
public struct SweptEntry: Hashable, Sendable {
  /// The first virtual address that the entry translates.
  public let virtual: VirtualAddress
  /// The physical address of the entry.
  public let address: PhysicalAddress
  /// The entry.
  public let descriptor: Descriptor
  /// The level of its table: -1 to 3.
  public let level: Int
  /// log2 of the bytes that the entry translates.
  public let shift: Int
  /// The restrictions of the tables above.
  public let tables: TableAttributes

  /// The bytes of virtual addresses that the entry translates.
  @inlinable public var size: UInt64 { 1 &<< UInt64(truncatingIfNeeded: shift) }
  /// The index in its table of full tables; a root smaller than a page begins at index 0 as well.
  @inlinable package func index(table: PhysicalAddress) -> Int {
    Int(truncatingIfNeeded: (address.rawValue &- table.rawValue) / 8)
  }
  /// The last virtual address that the entry translates.
  @inlinable public var last: UInt64 { virtual.rawValue &+ (size &- 1) }

  /// Makes an entry.
  @inlinable
  package init(
    virtual: VirtualAddress, address: PhysicalAddress, descriptor: Descriptor, level: Int, shift: Int,
    tables: TableAttributes
  ) {
    self.virtual = virtual
    self.address = address
    self.descriptor = descriptor
    self.level = level
    self.shift = shift
    self.tables = tables
  }
}

/// A table that a sweep is about to read.
public struct SweptTable: Hashable, Sendable {
  /// The physical address of its first entry.
  public let address: PhysicalAddress
  /// Its level: -1 to 3.
  public let level: Int
  /// The first virtual address that it translates.
  public let virtual: VirtualAddress
  /// log2 of the bytes that each of its entries translates.
  public let shift: Int
  /// The number of its entries.
  public let entries: Int
  /// The entry that leads to it; nil for the root.
  public let parent: SweptEntry?

  /// Makes a table.
  @inlinable
  package init(
    address: PhysicalAddress, level: Int, virtual: VirtualAddress, shift: Int, entries: Int, parent: SweptEntry?
  ) {
    self.address = address
    self.level = level
    self.virtual = virtual
    self.shift = shift
    self.entries = entries
    self.parent = parent
  }
}

/// Receives the entries of a sweep in the order of virtual addresses. By default every table is read, a repeated entry
/// counts as one leaf, and the rest is ignored.
public protocol SweepObserver {
  /// A table is about to be read; return false to skip it and everything below it.
  mutating func enter(_ table: SweptTable) -> Bool
  /// An entry that maps memory, which begins at `physical`.
  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress)
  /// All addresses from that of `entry` through `last` are mapped by entries equal to `entry`, each to the same memory:
  /// a table of one repeated entry, such as KASAN's shared early shadow, is read once, however often it is used.
  /// (`kasan_early_shadow_pte`, mm/kasan/init.c)
  mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64)
  /// `count` zero entries starting at `virtual`.
  mutating func empty(_ virtual: VirtualAddress, level: Int, shift: Int, count: Int)
  /// An invalid entry that is not zero: Linux may store information there that the hardware ignores.
  mutating func invalid(_ entry: SweptEntry)
  /// A malformed entry.
  mutating func corrupt(_ entry: SweptEntry, _ what: WalkResult.Corruption)
  /// `count` unreadable entries of `table`, starting at `virtual`.
  mutating func missing(_ table: SweptTable, _ virtual: VirtualAddress, count: Int, _ fault: MemoryFault)
}

extension SweepObserver {
  /// Reads every table.
  @inlinable public mutating func enter(_ table: SweptTable) -> Bool { true }
  /// Does nothing.
  @inlinable public mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {}
  /// Shows `leaf` one entry of the range.
  @inlinable
  public mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {
    leaf(entry, physical)
  }
  /// Does nothing.
  @inlinable public mutating func empty(_ virtual: VirtualAddress, level: Int, shift: Int, count: Int) {}
  /// Does nothing.
  @inlinable public mutating func invalid(_ entry: SweptEntry) {}
  /// Does nothing.
  @inlinable public mutating func corrupt(_ entry: SweptEntry, _ what: WalkResult.Corruption) {}
  /// Does nothing.
  @inlinable
  public mutating func missing(
    _ table: SweptTable, _ virtual: VirtualAddress, count: Int, _ fault: MemoryFault
  ) {}
}

/// The outcome of a sweep.
public struct SweepResult: Hashable, Sendable {
  /// Tables read.
  public var tables = 0
  /// Whether the sweep stopped at the limit of tables.
  public var isCutShort = false

  /// The result of a sweep that has read nothing yet.
  @inlinable package init() {}
}

extension TranslationRegime {
  /// The lowest address that the regime translates.
  @inlinable public var firstAddress: UInt64 {
    register.isUpperHalf ? 0 &- (1 &<< UInt64(truncatingIfNeeded: addressBits)) : 0
  }
  /// The highest address that the regime translates.
  @inlinable public var lastAddress: UInt64 {
    firstAddress &+ ((1 &<< UInt64(truncatingIfNeeded: addressBits)) &- 1)
  }

  /// Shows `observer` every entry that translates an address in `range`, in address order: each table page is read
  /// once, as a whole, for each path that leads to it.
  ///
  /// The cost grows with the table pages, not with the address space. Memory use is one table for each level; nothing
  /// is allocated on the way. The depth is that of the regime, so cycles end; `tableLimit` bounds the work that reused
  /// tables multiply to.
  ///
  /// It is specialised for the observer, which is called for each entry; `memory` is called once per table.
  ///
  /// - Parameters:
  ///   - range: the first and last address, both included; the whole regime if nil.
  ///   - tableLimit: the most tables to read.
  @inlinable
  package func sweep<Observer: SweepObserver>(
    _ range: ClosedRange<UInt64>? = nil, in memory: any PhysicalMemory, tableLimit: Int,
    observer: inout Observer
  ) -> SweepResult {
    let first = max(range?.lowerBound ?? 0, firstAddress)
    let last = min(range?.upperBound ?? .max, lastAddress)
    guard first <= last else { return SweepResult() }
    var sweep = TableSweep(regime: self, memory: memory, first: first, last: last, limit: tableLimit)
    let half: UInt64 = register.isUpperHalf ? 0 &- (1 &<< UInt64(truncatingIfNeeded: tableBits)) : 0
    let table = SweptTable(
      address: root, level: startLevel, virtual: VirtualAddress(half), shift: granule.shift(level: startLevel),
      entries: rootEntries, parent: nil)
    sweep.read(table, [], &observer)
    return sweep.result
  }
}

/// The state of a pass over the tables, with one table for each level.
@usableFromInline
struct TableSweep: ~Copyable {
  @usableFromInline let regime: TranslationRegime
  @usableFromInline let memory: any PhysicalMemory
  @usableFromInline let first: UInt64
  @usableFromInline let last: UInt64
  @usableFromInline let limit: Int
  @usableFromInline var result = SweepResult()
  /// One table of each level from the root's down.
  @usableFromInline let buffers: TableBuffers
  /// The last table of each level, from 0 to 3, that was found to repeat one leaf.
  @usableFromInline var repeats = InlineArray<4, RepeatingTable?>(repeating: nil)

  @inlinable
  init(regime: TranslationRegime, memory: any PhysicalMemory, first: UInt64, last: UInt64, limit: Int) {
    self.regime = regime
    self.memory = memory
    self.first = first
    self.last = last
    self.limit = limit
    buffers = TableBuffers(
      levels: regime.levels, bytes: max(Int(truncatingIfNeeded: regime.granule.size), regime.rootSize))
  }

  /// The first and last index of `table` that translate an address of the range.
  @inlinable @inline(__always)
  func indices(of table: SweptTable) -> (from: Int, through: Int) {
    let shift = UInt64(truncatingIfNeeded: table.shift)
    let base = table.virtual.rawValue
    let from = first > base ? Int(truncatingIfNeeded: (first &- base) &>> shift) : 0
    let through = Int(truncatingIfNeeded: min((last &- base) &>> shift, UInt64(table.entries &- 1)))
    return (from, through)
  }

  /// Reads `table`, which translates an address of the range, and what is below it.
  @inlinable
  mutating func read<Observer: SweepObserver>(
    _ table: SweptTable, _ attributes: TableAttributes, _ observer: inout Observer
  ) {
    guard result.tables < limit else {
      result.isCutShort = true
      return
    }
    guard observer.enter(table) else { return }
    result.tables &+= 1
    let (from, through) = indices(of: table)
    guard from <= through else { return }
    let slot = table.level &- regime.startLevel
    do throws(MemoryFault) {
      try buffers.load(slot, memory, table.address, from: from, through: through)
    } catch {
      readPieces(table, attributes, &observer, from: from, through: through)
      return
    }
    visit(table, attributes, &observer, from: from, through: through)
  }

  /// Reads a table that is partly missing, one page of the dump at a time.
  @inlinable @inline(never)
  mutating func readPieces<Observer: SweepObserver>(
    _ table: SweptTable, _ attributes: TableAttributes, _ observer: inout Observer, from: Int, through: Int
  ) {
    let slot = table.level &- regime.startLevel
    // The smallest page that a dump may leave out.
    let perPage = 4096 / 8
    var start = from
    while start <= through {
      let end = min((start / perPage &+ 1) &* perPage &- 1, through)
      do throws(MemoryFault) {
        try buffers.load(slot, memory, table.address, from: start, through: end)
        visit(table, attributes, &observer, from: start, through: end)
      } catch {
        let virtual = table.virtual &+ UInt64(start) &<< UInt64(truncatingIfNeeded: table.shift)
        observer.missing(table, virtual, count: end &- start &+ 1, error)
      }
      start = end &+ 1
    }
  }

  /// Shows `observer` the entries `from` to `through` of `table`, which are in its buffer.
  @inlinable @inline(__always)
  mutating func visit<Observer: SweepObserver>(
    _ table: SweptTable, _ attributes: TableAttributes, _ observer: inout Observer, from: Int, through: Int
  ) {
    let slot = table.level &- regime.startLevel
    if from < through, buffers.mayRepeat(slot, from: from, through: through),
      uniform(table, attributes, &observer, from: from, through: through)
    {
      return
    }
    let shift = UInt64(truncatingIfNeeded: table.shift)
    let level = table.level
    let regime = regime
    let row = buffers.row(slot)
    var index = from
    while index <= through {
      let raw = row[index]
      let virtual = VirtualAddress(table.virtual.rawValue &+ UInt64(truncatingIfNeeded: index) &<< shift)
      if raw == 0 {
        let start = index
        repeat { index &+= 1 } while index <= through && row[index] == 0
        observer.empty(virtual, level: level, shift: table.shift, count: index &- start)
        continue
      }
      let descriptor = Descriptor(rawValue: raw)
      // Made only when it is shown, so that what an observer ignores costs nothing.
      @inline(__always)
      func entry() -> SweptEntry {
        SweptEntry(
          virtual: virtual, address: table.address &+ UInt64(truncatingIfNeeded: index) &* 8, descriptor: descriptor,
          level: level, shift: table.shift, tables: attributes)
      }
      switch regime.decode(descriptor, level: level, shift: table.shift) {
      case .memory(let physical): observer.leaf(entry(), physical)
      case .table(let next): descend(entry(), to: next, &observer)
      case .invalid: observer.invalid(entry())
      case .corrupt(let corruption): observer.corrupt(entry(), corruption)
      }
      index &+= 1
    }
  }

  /// Reads the table at `next`, which `entry` points to, unless it is known to repeat one leaf.
  @inlinable @inline(never)
  mutating func descend<Observer: SweepObserver>(
    _ entry: SweptEntry, to next: PhysicalAddress, _ observer: inout Observer
  ) {
    let table = SweptTable(
      address: next, level: entry.level &+ 1, virtual: entry.virtual, shift: entry.shift &- regime.granule.indexBits,
      entries: 1 &<< regime.granule.indexBits, parent: entry)
    let attributes = entry.tables.union(entry.descriptor.tableAttributes)
    if let known = repeats[table.level], known.address == next, entry.virtual.rawValue >= first, entry.last <= last {
      guard observer.enter(table) else { return }
      observer.repeated(known.leaf(at: entry.virtual, tables: attributes), known.physical, through: entry.last)
      return
    }
    read(table, attributes, &observer)
  }

  /// A table whose entries are equal in effect: shows `observer` one leaf for all of the range, if the tables below are
  /// such tables too, each of which is read once. Otherwise it shows nothing.
  @inlinable @inline(never)
  mutating func uniform<Observer: SweepObserver>(
    _ table: SweptTable, _ attributes: TableAttributes, _ observer: inout Observer, from: Int, through: Int
  ) -> Bool {
    let virtual = table.virtual &+ UInt64(truncatingIfNeeded: from) &<< UInt64(truncatingIfNeeded: table.shift)
    let slot = table.level &- regime.startLevel
    guard
      var differences = buffers.difference(slot, from: from, through: through, ofTables: table.level < 3)
    else { return false }
    var entry = SweptEntry(
      virtual: virtual, address: table.address &+ UInt64(truncatingIfNeeded: from) &* 8,
      descriptor: Descriptor(rawValue: buffers[slot, from]), level: table.level, shift: table.shift, tables: attributes)
    let fullTable = (1 &<< regime.granule.indexBits) &- 1
    // Below a five-level root there are four tables.
    var below = InlineArray<4, SweptTable?>(repeating: nil)
    var depth = 0
    var isKnown = false
    while case .table(let next) = regime.decode(entry.descriptor, level: entry.level, shift: entry.shift) {
      guard depth < 4, result.tables &+ depth < limit else { return false }
      let shift = entry.shift &- regime.granule.indexBits
      below[depth] = SweptTable(
        address: next, level: entry.level &+ 1, virtual: virtual, shift: shift, entries: fullTable &+ 1,
        parent: entry)
      depth &+= 1
      let attributes = entry.tables.union(entry.descriptor.tableAttributes)
      if let known = repeats[entry.level &+ 1], known.address == next {
        entry = known.leaf(at: virtual, tables: attributes)
        isKnown = true
        break
      }
      let slot = entry.level &+ 1 &- regime.startLevel
      guard (try? buffers.load(slot, memory, next, from: 0, through: fullTable)) != nil,
        let more = buffers.difference(slot, from: 0, through: fullTable, ofTables: entry.level < 2)
      else { return false }
      differences |= more
      entry = SweptEntry(
        virtual: virtual, address: next, descriptor: Descriptor(rawValue: buffers[slot, 0]),
        level: entry.level &+ 1, shift: shift, tables: attributes)
    }
    guard case .memory(let physical) = regime.decode(entry.descriptor, level: entry.level, shift: entry.shift),
      differences & ~TableAttributes.implied(by: entry.descriptor).rawValue == 0
    else { return false }
    // A root is at the start level, which may be -1, and is used once.
    if from == 0, through == table.entries &- 1, table.level > regime.startLevel {
      repeats[table.level] = RepeatingTable(address: table.address, leaf: entry, physical: physical)
    }
    for index in 0..<depth {
      guard let child = below[index] else { break }
      if !isKnown || index < depth &- 1 {
        repeats[child.level] = RepeatingTable(address: child.address, leaf: entry, physical: physical)
        result.tables &+= 1
      }
      guard observer.enter(child) else { return true }
    }
    let end = (UInt64(truncatingIfNeeded: through) &+ 1) &<< UInt64(truncatingIfNeeded: table.shift)
    observer.repeated(entry, physical, through: table.virtual.rawValue &+ end &- 1)
    return true
  }
}

/// A table that maps all of its addresses by one repeated leaf.
@usableFromInline
struct RepeatingTable {
  @usableFromInline let address: PhysicalAddress
  @usableFromInline let physical: PhysicalAddress
  /// The leaf at the place where it was found.
  @usableFromInline let entry: SweptEntry

  @inlinable
  init(address: PhysicalAddress, leaf entry: SweptEntry, physical: PhysicalAddress) {
    self.address = address
    self.entry = entry
    self.physical = physical
  }

  /// The leaf as an entry for `virtual`, below tables with the restrictions `tables`.
  @inlinable
  func leaf(at virtual: VirtualAddress, tables: TableAttributes) -> SweptEntry {
    SweptEntry(
      virtual: virtual, address: entry.address, descriptor: entry.descriptor, level: entry.level, shift: entry.shift,
      tables: tables)
  }
}
