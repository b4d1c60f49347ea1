import Bytes

/// The links of a circular list (`struct list_head`), each read when it is asked for.
///
/// It ends at a link that is unreadable, was seen before, or does not point back.
struct ListLinks: IteratorProtocol, Sendable {
  private let memory: KernelMemory
  private let head: UInt64
  private let name: String
  private let limit: Int
  private var seen: Set<UInt64> = []
  private var previous: UInt64
  private var isOver = false
  /// Why the list is incomplete; empty if it is complete, or its end was not reached.
  private(set) var notes: [Diagnostic] = []

  /// - Parameters:
  ///   - head: the address of the head.
  ///   - name: what notes call the list.
  ///   - limit: the most elements to follow.
  init(_ memory: KernelMemory, at head: UInt64, named name: String, limit: Int = Limits.listElements) {
    self.memory = memory
    self.head = head
    self.name = name
    self.limit = limit
    previous = head
  }

  /// The address of the next link.
  mutating func next() -> UInt64? {
    guard !isOver else { return nil }
    guard let link = memory.pointer(at: previous) else {
      return end("the list \(name) breaks off at \(hex(previous)): the next link cannot be read")
    }
    guard link != head else {
      isOver = true
      return nil
    }
    guard seen.insert(link).inserted else {
      return end("the list \(name) runs in a circle at \(hex(link)): it is damaged")
    }
    guard seen.count <= limit else {
      return end("the list \(name) is longer than any: it is damaged, and left out from \(hex(link)) on")
    }
    guard memory.pointer(at: link &+ 8) == previous else {
      return end("the list \(name) breaks off at \(hex(link)): its link back is wrong, or not in the dump")
    }
    previous = link
    return link
  }

  private mutating func end(_ reason: String) -> UInt64? {
    isOver = true
    notes.note(.listBroken, name, text: reason)
    return nil
  }
}

extension KernelMemory {
  /// The elements of the circular list (`struct list_head`) at `head`, as the addresses of their links.
  ///
  /// - Parameter limit: the most elements to follow.
  func list(at head: UInt64, named name: String, limit: Int = Limits.listElements) -> Listing<UInt64> {
    var links = ListLinks(self, at: head, named: name, limit: limit)
    var elements: [UInt64] = []
    while let link = links.next() { elements.append(link) }
    return Listing(elements: elements, notes: links.notes)
  }
}
