import Bytes
import DebugInfo

/// The entries of an xarray, or before 4.20 of a radix tree, by index. (include/linux/xarray.h;
/// include/linux/radix-tree.h of 4.19)
///
/// | entry | xarray | radix tree |
/// | --- | --- | --- |
/// | a node | bits 1:0 are 2, above 4096 | bits 1:0 are 1 |
/// | a number | bit 0 | bits 1:0 are 2 |
/// | a sibling of an earlier slot, a retry, a reserved index | bits 1:0 are 2, up to 4096 | bits 1:0 are 1, a slot |
struct XArray: ContainerWalk {
  private let memory: KernelMemory
  private let shape: Shape
  private let first: UInt64
  /// The entry of the root, until it was looked at.
  private var head: UInt64?
  /// The nodes on the way to the next entry, the root's first.
  private var path: [Node] = []
  private var seen: Set<UInt64> = []
  private var found = 0
  private(set) var notes: [Diagnostic] = []

  /// The depth limit: 64 bits of index, four or six a level.
  private static let depth = 17

  private struct Shape {
    var isRadixTree: Bool
    var head: UInt64
    var shift: UInt64
    var slots: UInt64
    var slotCount: UInt64
  }

  private struct Node {
    var address: UInt64
    /// The index of its first slot.
    var index: UInt64
    var shift: UInt8
    /// The slot that comes next.
    var slot: UInt64 = 0
  }

  private static func shape(_ types: KernelTypes) -> Shape? {
    for (root, head, node) in [("xarray", "xa_head", "xa_node"), ("radix_tree_root", "rnode", "radix_tree_node")] {
      guard let head = types.member(head, of: root), let shift = types.member("shift", of: node),
        let slots = types.member("slots", of: node), (8...8 * 256).contains(slots.size)
      else { continue }
      return Shape(
        isRadixTree: node == "radix_tree_node", head: UInt64(head.offset), shift: UInt64(shift.offset),
        slots: UInt64(slots.offset), slotCount: UInt64(slots.size / 8))
    }
    return nil
  }

  private init(_ memory: KernelMemory, _ shape: Shape, head: UInt64, first: UInt64) {
    self.memory = memory
    self.shape = shape
    self.head = head
    self.first = first
  }

  /// Walks the xarray at `root`, with indices starting at `first`.
  static func entries(
    _ memory: KernelMemory, _ types: KernelTypes, root: UInt64, from first: UInt64 = 0
  ) -> any ContainerWalk {
    guard let shape = shape(types) else {
      return NoElements(Diagnostic(.typeUnknown, "neither xa_node nor radix_tree_node is a known type"))
    }
    guard let head = memory.word(at: root &+ shape.head) else {
      return NoElements(Diagnostic(.objectUnreadable, "the xarray at \(hex(root)) cannot be read"))
    }
    return XArray(memory, shape, head: head, first: first)
  }

  mutating func next() -> ContainerElement? {
    if let entry = head {
      head = nil
      if let element = element(entry, index: 0, above: 65) { return element }
    }
    while let node = path.last {
      guard node.slot < shape.slotCount else {
        path.removeLast()
        continue
      }
      path[path.count - 1].slot += 1
      let slots = node.address &+ shape.slots
      guard let entry = memory.word(at: slots &+ 8 &* node.slot) else {
        notes.note(
          .listBroken, text: "the node \(hex(node.address)) of the xarray cannot be read: what it holds is missing")
        path.removeLast()
        continue
      }
      // Siblings in a radix tree point to a slot.
      if shape.isRadixTree, entry & 3 == 1, (entry & ~3) &- slots < 8 &* shape.slotCount { continue }
      let index = node.index &+ node.slot << UInt64(node.shift)
      if let element = element(entry, index: index, above: Int(node.shift)) { return element }
    }
    return nil
  }

  /// What `entry` holds; nil if it is a node, which is gone into, or nothing.
  ///
  /// - Parameter above: the shift of the node that holds it; a child's is smaller.
  private mutating func element(_ entry: UInt64, index: UInt64, above: Int) -> ContainerElement? {
    guard entry != 0 else { return nil }
    guard found < Limits.listElements, seen.count < Limits.listElements else {
      notes.note(.listBroken, text: "the xarray is larger than any: it is damaged")
      path = []
      return nil
    }
    let low = entry & 3
    if low == (shape.isRadixTree ? 1 : 2) {
      // In a radix tree a sibling points to a slot of its own node.
      if shape.isRadixTree || entry > 4096 { enter(memory.untagged(entry & ~3), index: index, above: above) }
      return nil
    }
    let isValue = shape.isRadixTree ? low == 2 : entry & 1 == 1
    found += 1
    return ContainerElement(
      isValue ? entry >> (shape.isRadixTree ? 2 : 1) : memory.untagged(entry & ~3), index: index &+ first,
      isValue: isValue)
  }

  private mutating func enter(_ address: UInt64, index: UInt64, above: Int) {
    guard seen.insert(address).inserted else {
      // A sibling of a radix tree points into a node already visited.
      if !shape.isRadixTree {
        notes.note(.listBroken, text: "the xarray leads to the node \(hex(address)) twice: it is damaged")
      }
      return
    }
    guard let shift = memory.integer(UInt8.self, at: address &+ shape.shift) else {
      notes.note(.listBroken, text: "the node \(hex(address)) of the xarray cannot be read: what it holds is missing")
      return
    }
    guard Int(shift) < min(above, 64), path.count < Self.depth else {
      notes.note(.listBroken, text: "the node \(hex(address)) of the xarray is damaged: its shift is \(shift)")
      return
    }
    path.append(Node(address: address, index: index, shift: shift))
  }
}
