import Bytes

/// The kernel's maple trees: B-trees of ranges of numbers, in which an `mm_struct` keeps its VMAs since 6.1.
///
///     node, 256 bytes      range_64 (leaf_64 the same)      arange_64
///     0    parent          8    pivot[15]                   8    pivot[9]
///                          128  slot[16]                    80   slot[10]
///                          248  end, gap (bytes)            160  gap[10]
///                                                           240  end, gap (bytes)
///
/// A pointer to a node has its type in bits 6:3. Slot i holds the range from pivot i - 1 plus 1 to pivot i.
/// (include/linux/maple_tree.h, lib/maple_tree.c)
struct MapleTree {
  private let memory: KernelMemory
  /// The nodes that a walk may still read, so that a cycle ends it.
  private var nodesLeft = Limits.treeNodes
  /// The entries in order: the first index, the last one, and the pointer.
  private(set) var entries: [Entry] = []
  /// What is missing and why; nil if the tree is complete.
  private(set) var problem: String?

  /// A range and its pointer.
  struct Entry: Hashable {
    var first: UInt64
    var last: UInt64
    var value: UInt64
  }

  /// Reads the tree whose `ma_root` is `root`.
  init(root: UInt64, in memory: KernelMemory) {
    self.memory = memory
    guard root != 0 else { return }
    if Self.isInternal(root), root > 4096 {
      read(memory.untagged(root), 0, .max, depth: 0)
    } else {
      add(0, 0, root)
    }
  }

  private static func isInternal(_ entry: UInt64) -> Bool { entry & 3 == 2 }

  private mutating func add(_ first: UInt64, _ last: UInt64, _ value: UInt64) {
    // XA_ZERO_ENTRY reserves a range.
    guard value != 0, !Self.isInternal(value) else { return }
    entries.append(Entry(first: first, last: last, value: memory.untagged(value)))
  }

  /// Reads the node at `pointer`, which covers the indices `first` to `last`.
  private mutating func read(_ pointer: UInt64, _ first: UInt64, _ last: UInt64, depth: Int) {
    let node = pointer & ~0xff
    guard depth < Limits.treeDepth, nodesLeft > 0 else {
      problem = problem ?? "a maple tree is larger than any: it is damaged, and left out from \(hex(node)) on"
      return
    }
    nodesLeft -= 1
    guard let bytes = memory.bytes(at: node, count: 256) else {
      problem = problem ?? "a node of a maple tree, at \(hex(node)), cannot be read"
      return
    }
    func word(_ at: Int) -> UInt64 { UInt64(bytes.word32(at)) | UInt64(bytes.word32(at + 4)) << 32 }
    guard memory.untagged(word(0)) != node else {
      problem = problem ?? "a node of a maple tree, at \(hex(node)), is dead"
      return
    }
    let type = Int(pointer >> 3 & 15)
    guard type > 0 else {
      for slot in 0..<31 where UInt64(slot) <= last - first {
        add(first + UInt64(slot), first + UInt64(slot), word(8 + slot * 8))
      }
      return
    }
    guard type < 4 else {
      problem = problem ?? "a node of a maple tree, at \(hex(node)), has the unknown type \(type)"
      return
    }
    let isArange = type == 3
    let (slots, slotsAt, metaAt) = isArange ? (10, 80, 240) : (16, 128, 248)
    let lastPivot = isArange ? 0 : word(8 + 14 * 8)
    let end = isArange || lastPivot == 0 ? Int(bytes[metaAt]) : lastPivot == last ? 14 : 15
    guard end < slots else {
      problem = problem ?? "a node of a maple tree, at \(hex(node)), is damaged"
      return
    }
    var start = first
    for slot in 0...end {
      let stop = slot < end ? word(8 + slot * 8) : last
      guard start <= stop, stop <= last else {
        problem = problem ?? "a node of a maple tree, at \(hex(node)), is damaged: its pivots do not ascend"
        return
      }
      let value = word(slotsAt + slot * 8)
      if type == 1 {
        add(start, stop, value)
      } else if value != 0 {
        read(memory.untagged(value), start, stop, depth: depth + 1)
      }
      guard stop < last else { return }
      start = stop + 1
    }
  }
}
