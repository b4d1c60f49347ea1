/// A buffer for one table of each level.
///
/// Safety: the words are this value's own, all set when it is made, and freed with it; slot and entry are
/// bounds-checked or masked before each access; any word is a descriptor. A row is made for the visit of one table,
/// which the sweep that owns the buffers outlives.
@safe @usableFromInline
struct TableBuffers: ~Copyable {
  @usableFromInline let words: UnsafeMutablePointer<UInt64>
  @usableFromInline let stride: Int
  @usableFromInline let slots: Int

  @inlinable
  init(levels: Int, bytes: Int) {
    slots = levels
    stride = bytes / 8
    unsafe words = .allocate(capacity: levels &* stride)
    unsafe words.initialize(repeating: 0, count: levels &* stride)
  }

  @inlinable
  deinit { unsafe words.deallocate() }

  /// The entry `index` of the table in `slot`; 0 outside of the buffers.
  @inlinable @inline(__always)
  subscript(slot: Int, index: Int) -> UInt64 {
    guard slot < slots, slot >= 0, index >= 0, index < stride else { return 0 }
    return unsafe words[slot &* stride &+ index]
  }

  /// The entries of a slot without a reference to the owner, which saves reference counting.
  @safe @usableFromInline
  struct Row {
    @usableFromInline let words: UnsafePointer<UInt64>
    /// The number of entries, a power of two, minus one.
    @usableFromInline let mask: Int

    @inlinable @inline(__always)
    init(_ words: UnsafePointer<UInt64>, mask: Int) {
      unsafe self.words = words
      self.mask = mask
    }

    /// The entry `index`, which is within the table.
    @inlinable @inline(__always)
    subscript(index: Int) -> UInt64 { unsafe words[index & mask] }
  }

  /// The entries of the table in `slot`, valid while the buffers are.
  @inlinable @inline(__always)
  func row(_ slot: Int) -> Row {
    let slot = slot >= 0 && slot < slots ? slot : 0
    return unsafe Row(words + slot &* stride, mask: stride &- 1)
  }

  /// The bits in which table descriptors of equal effect may differ: their restrictions, which the leaf below may imply
  /// anyway.
  @inlinable @inline(__always)
  static var restrictions: UInt64 { Descriptor.Bits.tableRestrictions.rawValue }

  /// A quick check whether the entries `from` and `through` of the table in `slot` may all be equal, which most tables
  /// fail.
  @inlinable @inline(__always)
  func mayRepeat(_ slot: Int, from: Int, through: Int) -> Bool {
    let value = self[slot, from]
    return value != 0 && (value ^ self[slot, through]) & ~Self.restrictions == 0
  }

  /// The bits in which the entries `from` to `through` of the table in `slot` differ; nil if those are more than
  /// table descriptors of equal effect may differ in, or the entries are invalid.
  ///
  /// - Parameter ofTables: whether 11 in bits 1:0 is a table at this level, not a page.
  @inlinable
  func difference(_ slot: Int, from: Int, through: Int, ofTables: Bool) -> UInt64? {
    let value = self[slot, from]
    guard value & 1 == 1 else { return nil }
    let tolerated = ofTables && value & 2 != 0 ? Self.restrictions : 0
    var difference: UInt64 = 0
    for index in from...through {
      difference |= value ^ self[slot, index]
      if difference & ~tolerated != 0 { return nil }
    }
    return difference
  }

  /// Reads the entries `from` to `through` of the table at `table` into `slot`.
  @inlinable
  func load(
    _ slot: Int, _ memory: any PhysicalMemory, _ table: PhysicalAddress, from: Int, through: Int
  ) throws(MemoryFault) {
    guard slot >= 0, slot < slots, from >= 0, from <= through, through < stride else {
      throw MemoryFault(.notInDump, at: table)
    }
    // Swift 6.2 accepts no expression there.
    let start = unsafe words + (slot &* stride &+ from)
    var raw = unsafe MutableRawSpan(_unsafeStart: start, byteCount: (through &- from &+ 1) &* 8)
    try memory.read(table &+ UInt64(truncatingIfNeeded: from) &* 8, into: &raw)
  }
}
