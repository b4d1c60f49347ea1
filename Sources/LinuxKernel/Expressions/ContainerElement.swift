/// An element of a kernel container: a list or a tree.
public struct ContainerElement: Hashable, Sendable {
  /// Its address, or the number itself of a value entry.
  public internal(set) var address: UInt64
  /// Its index; nil if the container has no indices.
  public internal(set) var index: UInt64?
  /// The last index that it has, if it has a range of them.
  public internal(set) var last: UInt64?
  /// Whether it is a value entry in place of a pointer.
  public internal(set) var isValue = false

  init(_ address: UInt64, index: UInt64? = nil, last: UInt64? = nil, isValue: Bool = false) {
    self.address = address
    self.index = index
    self.last = last
    self.isValue = isValue
  }
}

/// The supported containers.
public enum ContainerKind: String, CaseIterable, Sendable {
  /// `struct list_head`.
  case list
  /// `struct hlist_head`, and `struct hlist_nulls_head`.
  case hlist
  /// `struct llist_head`.
  case llist
  /// `struct rb_root`, and `struct rb_root_cached`.
  case rbtree
  /// `struct xarray`.
  case xarray
  /// `struct radix_tree_root`, which is an xarray since 4.20.
  case radix
  /// `struct maple_tree`.
  case maple
  /// `struct idr`.
  case idr

  /// Whether elements embed a node, so that its member must be named.
  package var hasNodes: Bool {
    switch self {
    case .list, .hlist, .llist, .rbtree: true
    case .xarray, .radix, .maple, .idr: false
    }
  }
}
