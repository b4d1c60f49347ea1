import DebugInfo

/// Finds the VMAs that may map the anonymous pages of an `anon_vma`: those of its interval tree.
/// (include/linux/rmap.h)
struct AnonymousPages: Sendable {
  private let memory: KernelMemory
  private let root: TypeMember
  private let left: TypeMember
  private let right: TypeMember
  private let node: TypeMember
  private let area: TypeMember
  private let start: TypeMember
  private let end: TypeMember
  private let offset: TypeMember
  private let mm: TypeMember

  /// A VMA.
  struct Area: Hashable, Sendable {
    var mm: UInt64
    var start: UInt64
    var end: UInt64
    /// `vm_pgoff`: the number of its first page.
    var pageOffset: UInt64
  }

  /// nil if the types are unknown.
  init?(_ memory: KernelMemory, _ types: KernelTypes) {
    func vma(_ name: String) -> TypeMember? { types.member(name, of: "vm_area_struct") }
    guard let root = types.member("rb_root.rb_root.rb_node", "rb_root.rb_node", of: "anon_vma"),
      let left = types.member("rb_left", of: "rb_node"), let right = types.member("rb_right", of: "rb_node"),
      let node = types.member("rb", of: "anon_vma_chain"), let area = types.member("vma", of: "anon_vma_chain"),
      let start = vma("vm_start"), let end = vma("vm_end"), let offset = vma("vm_pgoff"), let mm = vma("vm_mm")
    else { return nil }
    self.memory = memory
    self.root = root
    self.left = left
    self.right = right
    self.node = node
    self.area = area
    self.start = start
    self.end = end
    self.offset = offset
    self.mm = mm
  }

  /// The VMAs in the tree of the `anon_vma` at `address`, as far as it can be followed.
  func areas(of address: UInt64) -> [Area] {
    func view(_ address: UInt64) -> StructView { StructView(space: memory, address: address) }
    var seen: Set<UInt64> = []
    var waiting = [view(address).pointer(root) ?? 0]
    var result: [Area] = []
    while let link = waiting.popLast(), seen.count < Limits.mappers {
      guard link != 0, seen.insert(link).inserted else { continue }
      waiting += [view(link).pointer(left) ?? 0, view(link).pointer(right) ?? 0]
      guard let vma = view(link &- UInt64(node.offset)).pointer(area), vma != 0, let mm = view(vma).pointer(mm),
        let start = view(vma).number(start), let end = view(vma).number(end), start < end,
        let offset = view(vma).number(offset)
      else { continue }
      result.append(Area(mm: mm, start: start, end: end, pageOffset: offset))
    }
    return result.sorted { ($0.start, $0.mm) < ($1.start, $1.mm) }
  }
}
