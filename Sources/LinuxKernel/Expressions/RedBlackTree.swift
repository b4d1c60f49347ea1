import Bytes
import DebugInfo

/// The nodes of a red-black tree in order. (include/linux/rbtree_types.h)
///
///     struct rb_node: __rb_parent_color: the parent, with the colour in bit 0 | rb_right | rb_left
struct RedBlackTree: ContainerWalk {
  private let memory: KernelMemory
  private let left: UInt64
  private let right: UInt64
  private var seen: Set<UInt64> = []
  /// The nodes whose turn comes after what is to their left.
  private var path: [UInt64] = []
  /// The link that is followed next, and the node that has it, 0 for the root.
  private var way: (link: UInt64, parent: UInt64)?
  private(set) var notes: [Diagnostic] = []

  /// The depth limit: a tree of 2^48 nodes has at most 96 levels.
  private static let depth = 128

  /// Walks the tree whose `struct rb_root` is at `root`.
  init(_ memory: KernelMemory, _ types: KernelTypes, root: UInt64) {
    self.memory = memory
    left = UInt64(types.member("rb_left", of: "rb_node")?.offset ?? 16)
    right = UInt64(types.member("rb_right", of: "rb_node")?.offset ?? 8)
    way = (root, 0)
  }

  mutating func next() -> ContainerElement? {
    if let way, !descend(way.link, from: way.parent) { path = [] }
    way = nil
    guard let node = path.popLast() else { return nil }
    // The right subtree takes the node's place on the path.
    way = (node &+ right, node)
    return ContainerElement(node)
  }

  /// Descends to the leftmost node from the link at `link` of `parent`; false if that ends the walk.
  private mutating func descend(_ link: UInt64, from parent: UInt64) -> Bool {
    var link = link
    var parent = parent
    while true {
      guard let node = memory.pointer(at: link) else {
        notes.note(.listBroken, text: "the tree breaks off: the link at \(hex(link)) cannot be read")
        return true
      }
      if node == 0 { return true }
      guard seen.insert(node).inserted else {
        notes.note(.listBroken, text: "the tree leads to \(hex(node)) twice: it is damaged")
        return true
      }
      guard let word = memory.word(at: node) else {
        notes.note(.listBroken, text: "the tree breaks off: the node at \(hex(node)) cannot be read")
        return true
      }
      guard memory.untagged(word & ~3) == parent else {
        notes.note(.listBroken, text: "the tree breaks off at \(hex(node)): its parent is not \(hex(parent))")
        return true
      }
      guard path.count < Self.depth, seen.count <= Limits.listElements else {
        notes.note(.listBroken, text: "the tree is larger than any: it is damaged")
        return false
      }
      path.append(node)
      parent = node
      link = node &+ left
    }
  }
}
