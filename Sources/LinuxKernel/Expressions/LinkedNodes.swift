import Bytes
import DebugInfo

/// The nodes of a list with one link in each: of an `llist_head`, or of an `hlist_head`, whose nodes have a place that
/// points back, too. The last `next` of an `hlist_nulls_head` is odd.
/// (include/linux/list.h, include/linux/list_nulls.h, include/linux/llist.h)
struct LinkedNodes: ContainerWalk {
  private let memory: KernelMemory
  /// Whether the `pprev` of each node points to the link that leads to it.
  private let pointsBack: Bool
  private var seen: Set<UInt64> = []
  /// The address of the link that comes next; nil at the end.
  private var link: UInt64?
  private(set) var notes: [Diagnostic] = []

  init(_ memory: KernelMemory, head: UInt64, pointsBack: Bool) {
    self.memory = memory
    self.pointsBack = pointsBack
    link = head
  }

  mutating func next() -> ContainerElement? {
    guard let link else { return nil }
    guard let node = memory.pointer(at: link) else {
      return end("the list breaks off: the link at \(hex(link)) cannot be read")
    }
    guard node != 0, node & 1 == 0 else { return end(nil) }
    guard seen.insert(node).inserted else {
      return end("the list runs in a circle at \(hex(node)): it is damaged")
    }
    guard seen.count <= Limits.listElements else {
      return end("the list is longer than any: it is damaged, and left out from \(hex(node)) on")
    }
    if pointsBack {
      guard let back = memory.pointer(at: node &+ 8) else {
        return end("the list breaks off at \(hex(node)): its pprev cannot be read")
      }
      guard back == link else {
        return end("the list breaks off at \(hex(node)): its pprev does not lead back")
      }
    }
    self.link = node
    return ContainerElement(node)
  }

  private mutating func end(_ reason: String?) -> ContainerElement? {
    link = nil
    if let reason { notes.note(.listBroken, text: reason) }
    return nil
  }
}
