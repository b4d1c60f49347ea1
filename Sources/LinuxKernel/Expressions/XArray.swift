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
struct XArray {
  let memory: KernelMemory
  let types: KernelTypes

  /// The depth limit: 64 bits of index, four or six a level.
  private static let depth = 17

  private struct Shape {
    var isRadixTree: Bool
    var head: UInt64
    var shift: UInt64
    var slots: UInt64
    var slotCount: Int
  }

  private func shape() -> Shape? {
    for (root, head, node) in [("xarray", "xa_head", "xa_node"), ("radix_tree_root", "rnode", "radix_tree_node")] {
      guard let head = types.member(head, of: root), let shift = types.member("shift", of: node),
        let slots = types.member("slots", of: node), (8...8 * 256).contains(slots.size)
      else { continue }
      return Shape(
        isRadixTree: node == "radix_tree_node", head: UInt64(head.offset), shift: UInt64(shift.offset),
        slots: UInt64(slots.offset), slotCount: slots.size / 8)
    }
    return nil
  }

  /// The entries of the xarray at `root`, with indices starting at `first`.
  func entries(root: UInt64, from first: UInt64 = 0) -> Listing<ContainerElement> {
    guard let shape = shape() else {
      return Listing(notes: [Diagnostic(.typeUnknown, "neither xa_node nor radix_tree_node is a known type")])
    }
    var walk = Walk(memory: memory, shape: shape, first: first)
    guard let head = memory.word(at: root &+ shape.head) else {
      return Listing(notes: [Diagnostic(.objectUnreadable, "the xarray at \(hex(root)) cannot be read")])
    }
    walk.entry(head, index: 0, above: 65, slot: nil, depth: 0)
    return walk.result
  }

  private struct Walk {
    let memory: KernelMemory
    let shape: Shape
    let first: UInt64
    var result = Listing<ContainerElement>()
    var seen: Set<UInt64> = []
    var isCut = false

    init(memory: KernelMemory, shape: Shape, first: UInt64) {
      self.memory = memory
      self.shape = shape
      self.first = first
    }

    /// - Parameters:
    ///   - above: the shift of the node that holds it; a child's is smaller.
    ///   - slot: its slot; nil for the root's.
    mutating func entry(_ entry: UInt64, index: UInt64, above: Int, slot: UInt64?, depth: Int) {
      guard entry != 0, !isCut else { return }
      guard result.elements.count < Limits.listElements, seen.count < Limits.listElements else {
        result.note(.listBroken, text: "the xarray is larger than any: it is damaged")
        isCut = true
        return
      }
      let low = entry & 3
      if low == (shape.isRadixTree ? 1 : 2) {
        // In a radix tree a sibling points to a slot of its own node.
        let isNode = shape.isRadixTree ? true : entry > 4096
        if isNode { node(memory.untagged(entry & ~3), index: index, above: above, depth: depth) }
        return
      }
      let isValue = shape.isRadixTree ? low == 2 : entry & 1 == 1
      result.elements.append(
        ContainerElement(
          node: isValue ? entry >> (shape.isRadixTree ? 2 : 1) : memory.untagged(entry & ~3), index: index &+ first,
          isValue: isValue))
    }

    private mutating func node(_ address: UInt64, index: UInt64, above: Int, depth: Int) {
      guard seen.insert(address).inserted else {
        // A sibling of a radix tree points into a node already visited.
        if !shape.isRadixTree {
          result.note(.listBroken, text: "the xarray leads to the node \(hex(address)) twice: it is damaged")
        }
        return
      }
      guard let shift = memory.integer(UInt8.self, at: address &+ shape.shift) else {
        result.note(
          .listBroken, text: "the node \(hex(address)) of the xarray cannot be read: what it holds is missing")
        return
      }
      guard Int(shift) < min(above, 64), depth < XArray.depth else {
        result.note(.listBroken, text: "the node \(hex(address)) of the xarray is damaged: its shift is \(shift)")
        return
      }
      let slots = address &+ shape.slots
      for slot in 0..<UInt64(shape.slotCount) {
        guard !isCut else { return }
        guard let next = memory.word(at: slots &+ 8 &* slot) else {
          result.note(
            .listBroken, text: "the node \(hex(address)) of the xarray cannot be read: what it holds is missing")
          return
        }
        // Siblings in a radix tree point to a slot.
        if shape.isRadixTree, next & 3 == 1, (next & ~3) &- slots < 8 &* UInt64(shape.slotCount) { continue }
        entry(next, index: index &+ slot << UInt64(shift), above: Int(shift), slot: slot, depth: depth + 1)
      }
    }
  }
}
