/// The result of the walk of an address.
public enum WalkResult: Hashable, Sendable {
  /// A leaf maps it.
  case mapped(Leaf)
  /// The entry at `level` is invalid: the MMU faults.
  case unmapped(level: Int)
  /// The table at `level` cannot be read from the dump.
  case tableMissing(level: Int, MemoryFault)
  /// The entry at `level` is malformed.
  case corrupt(level: Int, Corruption)
  /// The bits above the width of the tables are not all equal: the MMU faults without walking.
  case notCanonical

  /// What is wrong with an entry.
  public enum Corruption: Hashable, Sendable {
    /// bits[1:0] = 01 at a level that has no blocks.
    case reservedEncoding
    /// An output address beyond the physical range.
    case addressOutOfRange(PhysicalAddress)
  }

  /// The leaf, if there is one.
  @inlinable public var leaf: Leaf? {
    if case .mapped(let leaf) = self { leaf } else { nil }
  }
}

/// The entry that maps an address.
public struct Leaf: Hashable, Sendable {
  /// The physical address that the virtual address maps to.
  public let physical: PhysicalAddress
  /// The level of its table: -1 to 3.
  public let level: Int
  /// log2 of the memory that the entry maps.
  public let shift: Int
  /// Its effective attributes.
  public let attributes: Attributes

  /// The bytes that the entry maps.
  @inlinable public var size: UInt64 { 1 &<< UInt64(truncatingIfNeeded: shift) }

  /// Makes a leaf.
  @inlinable package init(physical: PhysicalAddress, level: Int, shift: Int, attributes: Attributes) {
    self.physical = physical
    self.level = level
    self.shift = shift
    self.attributes = attributes
  }
}

/// One entry that a walk read.
public struct WalkStep: Hashable, Sendable {
  /// The level of the table: -1 to 3.
  public let level: Int
  /// The index in the table.
  public let index: Int
  /// The physical address of the entry.
  public let address: PhysicalAddress
  /// The entry.
  public let descriptor: Descriptor
  /// What it is.
  public let kind: Descriptor.Kind

  /// Makes a step.
  @inlinable
  package init(level: Int, index: Int, address: PhysicalAddress, descriptor: Descriptor, kind: Descriptor.Kind) {
    self.level = level
    self.index = index
    self.address = address
    self.descriptor = descriptor
    self.kind = kind
  }
}

/// A table below the root that a walk visits.
@usableFromInline package struct WalkTable: Hashable, Sendable {
  /// Its physical address.
  @usableFromInline package var address: PhysicalAddress
  /// Its level: 0 to 3.
  @usableFromInline package var level: Int
  /// The restrictions of the tables above.
  @usableFromInline package var attributes: TableAttributes

  /// Makes a table.
  @inlinable package init(address: PhysicalAddress, level: Int, attributes: TableAttributes) {
    self.address = address
    self.level = level
    self.attributes = attributes
  }
}

/// Observes a walk: receives each entry, and may know tables from earlier walks.
@usableFromInline package protocol WalkObserver {
  /// Called for each entry that is read, from the root down.
  mutating func visit(_ step: WalkStep)
  /// The lowest table already known for `address`, at which the walk begins; nil for the root.
  mutating func knownTable(for address: VirtualAddress, in regime: TranslationRegime) -> WalkTable?
  /// Called for each table below the root that the walk for `address` visits. Its parent entry translates 2^`shift`
  /// bytes.
  mutating func enter(_ table: WalkTable, for address: VirtualAddress, shift: Int)
}

extension WalkObserver {
  /// Does nothing.
  @inlinable @inline(__always) package mutating func visit(_ step: WalkStep) {}
  /// Knows no table.
  @inlinable @inline(__always)
  package mutating func knownTable(for address: VirtualAddress, in regime: TranslationRegime) -> WalkTable? { nil }
  /// Does nothing.
  @inlinable @inline(__always)
  package mutating func enter(_ table: WalkTable, for address: VirtualAddress, shift: Int) {}
}

/// A no-op observer that optimizes away.
@usableFromInline package struct NoTrace: WalkObserver {
  /// Makes an observer.
  @inlinable package init() {}
}

/// Keeps each entry of a walk: at most five.
package struct WalkTrace: WalkObserver {
  /// The entries, from the root down.
  package private(set) var steps: [WalkStep] = []
  /// Makes an empty trace.
  package init() { steps.reserveCapacity(5) }
  /// Keeps the entry.
  package mutating func visit(_ step: WalkStep) { steps.append(step) }
}

extension TranslationRegime {
  /// Walks the tables in `memory` for `address`, which has no tag.
  ///
  /// Tables are read by physical address only, at most five of them, so that no input makes it loop.
  /// Nothing is allocated.
  @inlinable
  package func walk(_ address: VirtualAddress, in memory: borrowing some PhysicalMemory) -> WalkResult {
    var nobody = NoTrace()
    return walk(address, in: memory, observer: &nobody)
  }

  /// Walks as `walk(_:in:)` does and shows `observer` each entry.
  @inlinable
  package func walk(
    _ address: VirtualAddress, in memory: borrowing some PhysicalMemory,
    observer: inout some WalkObserver
  ) -> WalkResult {
    let fullMask = (1 &<< UInt64(truncatingIfNeeded: granule.indexBits)) &- 1
    var level: Int
    var table: PhysicalAddress
    var mask: UInt64
    var tables: TableAttributes
    if let known = observer.knownTable(for: address, in: self) {
      level = known.level
      table = known.address
      mask = fullMask
      tables = known.attributes
    } else {
      guard address.isCanonical(bits: addressBits), address.isUpperHalf == register.isUpperHalf else {
        return .notCanonical
      }
      level = startLevel
      table = root
      mask = UInt64(truncatingIfNeeded: rootEntries &- 1)
      tables = []
    }
    var shift = granule.shift(level: level)
    while true {
      let index = address.rawValue &>> UInt64(truncatingIfNeeded: shift) & mask
      let entry = table &+ index &* 8
      let descriptor: Descriptor
      do throws(MemoryFault) {
        descriptor = Descriptor(rawValue: try memory.word(at: entry))
      } catch {
        return .tableMissing(level: level, error)
      }
      observer.visit(
        WalkStep(
          level: level, index: Int(truncatingIfNeeded: index), address: entry, descriptor: descriptor,
          kind: descriptor.kind(level: level, format: format)))
      switch decode(descriptor, level: level, shift: shift) {
      case .invalid: return .unmapped(level: level)
      case .corrupt(let corruption): return .corrupt(level: level, corruption)
      case .table(let next):
        table = next
        tables.formUnion(descriptor.tableAttributes)
        level &+= 1
        observer.enter(WalkTable(address: table, level: level, attributes: tables), for: address, shift: shift)
        shift &-= granule.indexBits
        mask = fullMask
      case .memory(let base):
        let offset = address.rawValue & ((1 &<< UInt64(truncatingIfNeeded: shift)) &- 1)
        return .mapped(
          Leaf(
            physical: base &+ offset, level: level, shift: shift,
            attributes: Attributes(descriptor, tables: tables, isSingleRange: register.isSingleRange)))
      }
    }
  }
}
