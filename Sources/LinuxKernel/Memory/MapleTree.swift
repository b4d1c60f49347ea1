import Bytes

/// The kernel's maple trees: B-trees of ranges of numbers, in which an `mm_struct` keeps its VMAs since 6.1. Each node
/// is read when its first entry is asked for.
///
///     node, 256 bytes      range_64 (leaf_64 the same)      arange_64
///     0    parent          8    pivot[15]                   8    pivot[9]
///                          128  slot[16]                    80   slot[10]
///                          248  end, gap (bytes)            160  gap[10]
///                                                           240  end, gap (bytes)
///
/// A pointer to a node has its type in bits 6:3. Slot i holds the range from pivot i - 1 plus 1 to pivot i.
/// (include/linux/maple_tree.h, lib/maple_tree.c)
struct MapleTree: IteratorProtocol, Sendable {
  private let memory: KernelMemory
  /// The nodes that a walk may still read, so that a cycle ends it.
  private var nodesLeft = Limits.treeNodes
  /// The nodes on the way to the next entry, the root's first.
  private var path: [Node] = []
  /// The one entry of a tree without a node.
  private var single: Entry?
  /// What is missing so far and why; nil if nothing is.
  private(set) var problem: String?

  /// A range and its pointer.
  struct Entry: Hashable, Sendable {
    var first: UInt64
    var last: UInt64
    var value: UInt64
  }

  /// A node that was read, and where the walk is in it.
  private struct Node: Sendable {
    enum Kind: Int {
      case dense, leaf, range, allocationRange
    }
    var kind: Kind
    var address: UInt64
    var bytes: [UInt8]
    /// The first number of the next slot.
    var start: UInt64
    /// The last number of the node.
    var last: UInt64
    var slot = 0
    /// The last slot.
    var end: Int

    func word(_ at: Int) -> UInt64 { UInt64(bytes.word32(at)) | UInt64(bytes.word32(at + 4)) << 32 }
    var value: UInt64 {
      switch kind {
      case .dense: word(8 + slot * 8)
      case .leaf, .range: word(128 + slot * 8)
      case .allocationRange: word(80 + slot * 8)
      }
    }
    /// The last number of the slot.
    var stop: UInt64 { kind == .dense ? start : slot < end ? word(8 + slot * 8) : last }
  }

  /// Walks the tree whose `ma_root` is `root`.
  init(root: UInt64, in memory: KernelMemory) {
    self.memory = memory
    guard root != 0 else { return }
    if Self.isInternal(root), root > 4096 {
      enter(memory.untagged(root), 0, .max)
    } else if !Self.isInternal(root) {
      single = Entry(first: 0, last: 0, value: memory.untagged(root))
    }
  }

  private static func isInternal(_ entry: UInt64) -> Bool { entry & 3 == 2 }

  /// The next range, in order.
  mutating func next() -> Entry? {
    if let entry = single {
      single = nil
      return entry
    }
    while var node = path.popLast() {
      let (start, stop, value) = (node.start, node.stop, node.value)
      guard start <= stop, stop <= node.last else {
        note("a node of a maple tree, at \(hex(node.address)), is damaged: its pivots do not ascend")
        continue
      }
      if node.slot < node.end, stop < node.last {
        node.slot += 1
        node.start = stop + 1
        path.append(node)
      }
      switch node.kind {
      case .dense, .leaf:
        // XA_ZERO_ENTRY reserves a range.
        guard value != 0, !Self.isInternal(value) else { continue }
        return Entry(first: start, last: stop, value: memory.untagged(value))
      case .range, .allocationRange:
        if value != 0 { enter(memory.untagged(value), start, stop) }
      }
    }
    return nil
  }

  private mutating func note(_ text: String) { problem = problem ?? text }

  /// Reads the node at `pointer`, which covers the indices `first` to `last`.
  private mutating func enter(_ pointer: UInt64, _ first: UInt64, _ last: UInt64) {
    let address = pointer & ~0xff
    guard path.count < Limits.treeDepth, nodesLeft > 0 else {
      return note("a maple tree is larger than any: it is damaged, and left out from \(hex(address)) on")
    }
    nodesLeft -= 1
    guard let bytes = memory.bytes(at: address, count: 256) else {
      return note("a node of a maple tree, at \(hex(address)), cannot be read")
    }
    let type = Int(pointer >> 3 & 15)
    guard let kind = Node.Kind(rawValue: type) else {
      return note("a node of a maple tree, at \(hex(address)), has the unknown type \(type)")
    }
    var node = Node(kind: kind, address: address, bytes: bytes, start: first, last: last, end: 30)
    guard memory.untagged(node.word(0)) != address else {
      return note("a node of a maple tree, at \(hex(address)), is dead")
    }
    if kind != .dense {
      let isWide = kind == .allocationRange
      let lastPivot = isWide ? 0 : node.word(8 + 14 * 8)
      node.end = isWide || lastPivot == 0 ? Int(bytes[isWide ? 240 : 248]) : lastPivot == last ? 14 : 15
      guard node.end < (isWide ? 10 : 16) else {
        return note("a node of a maple tree, at \(hex(address)), is damaged")
      }
    }
    path.append(node)
  }
}
