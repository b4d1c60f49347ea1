import KernelVA

/// Where walks over lists and trees were left off that were asked for in part: who asks for the next part goes on there.
struct ContainerWalks {
  /// How far a walk over a container has come.
  struct Position: Hashable {
    /// The kind of container.
    let kind: ContainerKind
    /// The offset of the node in its elements.
    let offset: Int
    /// Its address.
    let address: UInt64
    /// How many elements were passed.
    var count: Int
  }

  private var kept: [Position: ContainerElements.Iterator] = [:]

  /// The walk that is at `position`; nil if none was left there.
  mutating func take(_ position: Position) -> ContainerElements.Iterator? { kept.removeValue(forKey: position) }

  /// Leaves a walk at `position`.
  mutating func keep(_ walk: ContainerElements.Iterator, at position: Position) {
    if kept.count >= Limits.keptWalks { kept = [:] }
    kept[position] = walk
  }
}
