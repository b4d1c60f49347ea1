/// An element of a kernel container: a list or a tree.
package struct ContainerElement: Sendable {
  /// The address of the node inside the element; of containers of pointers, the element itself.
  package let node: UInt64
  /// Its index; nil if the container has no indices.
  package var index: UInt64?
  /// The last index that it has, if it has a range of them.
  package var last: UInt64?
  /// Whether it is a value entry in place of a pointer.
  package var isValue = false

  init(node: UInt64, index: UInt64? = nil, last: UInt64? = nil, isValue: Bool = false) {
    self.node = node
    self.index = index
    self.last = last
    self.isValue = isValue
  }
}

/// The supported containers.
package enum ContainerKind: String, CaseIterable, Sendable {
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
