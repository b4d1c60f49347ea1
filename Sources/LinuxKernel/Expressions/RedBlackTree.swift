import Bytes
import DebugInfo

/// The nodes of a red-black tree in order. (include/linux/rbtree_types.h)
///
///     struct rb_node: __rb_parent_color: the parent, with the colour in bit 0 | rb_right | rb_left
struct RedBlackTree {
  let memory: KernelMemory
  let types: KernelTypes

  /// The depth limit: a tree of 2^48 nodes has at most 96 levels.
  private static let depth = 128

  /// The nodes of the tree whose `struct rb_root` is at `root`.
  func nodes(root: UInt64) -> Listing<ContainerElement> {
    var result = Listing<ContainerElement>()
    let left = UInt64(types.member("rb_left", of: "rb_node")?.offset ?? 16)
    let right = UInt64(types.member("rb_right", of: "rb_node")?.offset ?? 8)
    var seen: Set<UInt64> = []
    var path: [UInt64] = []
    /// Descends to the leftmost node from the link at `link` of `parent`; false if that ends the walk.
    func descend(_ link: UInt64, from parent: UInt64) -> Bool {
      var link = link
      var parent = parent
      while true {
        guard let node = memory.pointer(at: link) else {
          result.note(.listBroken, text: "the tree breaks off: the link at \(hex(link)) cannot be read")
          return true
        }
        if node == 0 { return true }
        guard seen.insert(node).inserted else {
          result.note(.listBroken, text: "the tree leads to \(hex(node)) twice: it is damaged")
          return true
        }
        guard let word = memory.word(at: node) else {
          result.note(.listBroken, text: "the tree breaks off: the node at \(hex(node)) cannot be read")
          return true
        }
        guard memory.untagged(word & ~3) == parent else {
          result.note(.listBroken, text: "the tree breaks off at \(hex(node)): its parent is not \(hex(parent))")
          return true
        }
        guard path.count < Self.depth, seen.count <= Limits.listElements else {
          result.note(.listBroken, text: "the tree is larger than any: it is damaged")
          return false
        }
        path.append(node)
        parent = node
        link = node &+ left
      }
    }
    var goesOn = descend(root, from: 0)
    while goesOn, let node = path.popLast() {
      result.elements.append(ContainerElement(node: node))
      // The right subtree takes the node's place on the path.
      goesOn = descend(node &+ right, from: node)
    }
    return result
  }
}
