import Bytes
import DebugInfo

/// What a container of the kernel holds, in its order. Each element is looked up when it is asked for: the first of a
/// million costs no more than the only one.
///
/// A damaged container ends early; the iterator's `notes` say why:
///
///     var tasks = try kernel.elements(of: .list, "task_struct.tasks", at: "init_task.tasks").makeIterator()
///     while let task = tasks.next() { print(task.address) }
///     for note in tasks.notes { print(note) }
public struct ContainerElements: Sequence, Sendable {
  private let walk: any ContainerWalk
  private let offset: UInt64

  /// - Parameter offset: bytes from the start of an element to the node in it.
  init(_ walk: any ContainerWalk, offset: Int) {
    self.walk = walk
    self.offset = UInt64(offset)
  }

  /// Begins with the first element.
  public func makeIterator() -> Iterator { Iterator(walk: walk, offset: offset) }

  /// Where a walk over a container is.
  public struct Iterator: IteratorProtocol, Sendable {
    fileprivate var walk: any ContainerWalk
    fileprivate let offset: UInt64

    /// What is missing so far, and why; at the end of a container that is whole, nothing.
    public var notes: [Diagnostic] { walk.notes }

    /// The next element; nil at the end, and where the container is too damaged to go on.
    public mutating func next() -> ContainerElement? {
      guard var element = walk.next() else { return nil }
      if !element.isValue { element.address &-= offset }
      return element
    }
  }
}

/// A walk over the nodes of a container, or over what it points to.
protocol ContainerWalk: Sendable {
  /// What is missing so far, and why.
  var notes: [Diagnostic] { get }
  /// The next node.
  mutating func next() -> ContainerElement?
}

/// What there is nothing of, for a reason.
struct NoElements: ContainerWalk {
  let notes: [Diagnostic]

  init(_ reason: Diagnostic) { notes = [reason] }

  func next() -> ContainerElement? { nil }
}

/// The nodes of a circular list.
struct ListWalk: ContainerWalk {
  var links: ListLinks
  var notes: [Diagnostic] { links.notes }

  mutating func next() -> ContainerElement? { links.next().map { ContainerElement($0) } }
}

/// The entries of a maple tree.
struct MapleWalk: ContainerWalk {
  var tree: MapleTree
  var notes: [Diagnostic] { tree.problem.map { [Diagnostic(.listBroken, $0)] } ?? [] }

  mutating func next() -> ContainerElement? {
    tree.next().map { entry in
      let isValue = entry.value & 1 == 1
      return ContainerElement(
        isValue ? entry.value >> 1 : entry.value, index: entry.first, last: entry.last, isValue: isValue)
    }
  }
}
