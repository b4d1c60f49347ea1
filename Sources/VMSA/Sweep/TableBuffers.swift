/// Room for one table of each level.
///
/// Safety: the words are this value's own, all set when it is made, and freed with it; slot and entry are checked
/// against the room before each of them is touched, or cut to it; any word is a descriptor. A row is made by a visit of
/// one table, which the sweep that owns the buffers outlives.
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

  /// The entries of a slot without a reference to who keeps them, which a visit of them need not count.
  @safe @usableFromInline
  struct Row {
    @usableFromInline let words: UnsafePointer<UInt64>
    /// One less than there are entries, a power of two.
    @usableFromInline let mask: Int

    @inlinable @inline(__always)
    init(_ words: UnsafePointer<UInt64>, mask: Int) {
      unsafe self.words = words
      self.mask = mask
    }

    /// The entry `index`, which is below the room for a table.
    @inlinable @inline(__always)
    subscript(index: Int) -> UInt64 { unsafe words[index & mask] }
  }

  /// The entries of the table in `slot`, good as long as the buffers are.
  @inlinable @inline(__always)
  func row(_ slot: Int) -> Row {
    let slot = slot >= 0 && slot < slots ? slot : 0
    return unsafe Row(words + slot &* stride, mask: stride &- 1)
  }

  /// Whether the entries `from` to `through` of the table in `slot` are equal.
  @inlinable @inline(__always)
  func isUniform(_ slot: Int, from: Int, through: Int) -> Bool {
    let value = self[slot, from]
    // Most tables differ in their last entry already.
    guard value != 0, value == self[slot, through] else { return false }
    for index in from...through where self[slot, index] != value { return false }
    return true
  }

  /// Reads the entries `from` to `through` of the table at `table` into `slot`.
  @inlinable
  func load(
    _ slot: Int, _ memory: any PhysicalMemory, _ table: PhysicalAddress, from: Int, through: Int
  ) throws(MemoryFault) {
    guard slot >= 0, slot < slots, from >= 0, from <= through, through < stride else {
      throw MemoryFault(.notInDump, at: table)
    }
    var raw = unsafe MutableRawSpan(
      _unsafeStart: words + (slot &* stride &+ from), byteCount: (through &- from &+ 1) &* 8)
    try memory.read(table &+ UInt64(truncatingIfNeeded: from) &* 8, into: &raw)
  }
}
