import Bytes
import DebugInfo

/// Lists whose nodes have one link, or a link and a back pointer. (include/linux/list.h, include/linux/llist.h)
struct LinkedNodes {
  let memory: KernelMemory

  /// `struct hlist_head`: each node's `pprev` points to the link that leads to it. The last `next` of an
  /// `hlist_nulls_head` is odd.
  func hlist(head: UInt64) -> Listing<ContainerElement> {
    chain(head: head) { node, link in
      guard let back = memory.pointer(at: node &+ 8) else { return "its pprev cannot be read" }
      return back == link ? nil : "its pprev does not lead back"
    }
  }

  /// `struct llist_head`.
  func llist(head: UInt64) -> Listing<ContainerElement> { chain(head: head) { _, _ in nil } }

  /// Follows links from `head`, until one is NULL or odd.
  ///
  /// - Parameter damage: what is wrong with the node that the link at an address leads to.
  private func chain(
    head: UInt64, damage: (_ node: UInt64, _ link: UInt64) -> String?
  ) -> Listing<ContainerElement> {
    var result = Listing<ContainerElement>()
    var seen: Set<UInt64> = []
    var link = head
    while true {
      guard let node = memory.pointer(at: link) else {
        result.note(.listBroken, text: "the list breaks off: the link at \(hex(link)) cannot be read")
        return result
      }
      if node == 0 || node & 1 == 1 { return result }
      guard seen.insert(node).inserted else {
        result.note(.listBroken, text: "the list runs in a circle at \(hex(node)): it is damaged")
        return result
      }
      guard result.elements.count < Limits.listElements else {
        result.note(.listBroken, text: "the list is longer than any: it is damaged, and left out from \(hex(node)) on")
        return result
      }
      if let reason = damage(node, link) {
        result.note(.listBroken, text: "the list breaks off at \(hex(node)): \(reason)")
        return result
      }
      result.elements.append(ContainerElement(node: node))
      link = node
    }
  }
}
