import Bytes
import DebugInfo

/// The page cache of a file. (`struct address_space`, include/linux/fs.h; XArray since 4.20, include/linux/xarray.h)
///
///     xa_node: shift u8 at 0 | parent at 8 | slots[64] at 40; a pointer to one has 2 in bits 1:0
struct PageCache: Sendable {
  private let memory: KernelMemory
  private let vmemmap: Vmemmap
  private let mapping: TypeMember
  private let root: TypeMember
  private let index: TypeMember
  private let slots: TypeMember
  private let shift: TypeMember

  /// A page cache entry.
  enum Page: Hashable, Sendable {
    /// A frame.
    case frame(UInt64)
    /// A shmem page in swap.
    case swapped(type: Int, offset: UInt64)
  }

  /// nil if the types or the page array are unknown.
  init?(_ context: KernelContext, _ arithmetic: @autoclosure () -> Arithmetic) {
    let types = context.types.value
    guard let mapping = types.member("f_mapping", of: "file"),
      let root = types.member("i_pages.xa_head", of: "address_space"),
      let index = types.member("index", "__folio_index", of: "page") ?? types.member("index", of: "folio"),
      let slots = types.member("slots", of: "xa_node"), let shift = types.member("shift", of: "xa_node"),
      let vmemmap = context.vmemmap(arithmetic())
    else { return nil }
    memory = context.memory
    self.vmemmap = vmemmap
    self.mapping = mapping
    self.root = root
    self.index = index
    self.slots = slots
    self.shift = shift
  }

  /// The entry of page `number` of the `struct file` at `file`; nil if it is not cached.
  func page(_ number: UInt64, of file: UInt64) -> Page? {
    guard let space = StructView(space: memory, address: file).pointer(mapping), space != 0,
      var entry = StructView(space: memory, address: space).number(root)
    else { return nil }
    // A tree with only page 0 has it as its root.
    if entry & 3 == 0 { return folio(entry, number) }
    for depth in 0..<Limits.treeDepth {
      guard entry & 3 == 2, entry > 4096 else { break }
      let node = memory.untagged(entry) &- 2
      guard let level = StructView(space: memory, address: node).number(shift), level < 64 else { return nil }
      // The root does not cover higher indices.
      if depth == 0, level < 58, number >> (level + 6) != 0 { return nil }
      guard var next = word(node, number >> level & 63) else { return nil }
      // A sibling entry names the slot of the entry that it belongs to.
      if next & 3 == 2, next < 64 << 2 {
        guard let first = word(node, next >> 2) else { return nil }
        next = first
      }
      entry = next
    }
    // A 63-bit value: in shmem a swap entry, with the type in bits 62:58.
    if entry & 1 == 1 { return .swapped(type: Int(entry >> 59 & 31), offset: entry >> 1 & (1 << 58 - 1)) }
    return entry & 3 == 0 ? folio(entry, number) : nil
  }

  private func word(_ node: UInt64, _ slot: UInt64) -> UInt64? {
    memory.word(at: node &+ UInt64(slots.offset) &+ slot &* 8)
  }

  /// The frame of page `number` in the folio at `pointer`, whose own index is that of its first page.
  private func folio(_ pointer: UInt64, _ number: UInt64) -> Page? {
    let page = memory.untagged(pointer)
    guard page > 4096, let first = StructView(space: memory, address: page).number(index), first <= number,
      number - first < 1 << 20
    else { return nil }
    // The index differs only inside a compound page.
    guard first == number || isHead(page) else { return nil }
    return .frame(vmemmap.frame(of: page) &+ (number - first))
  }

  /// Whether the next `struct page` is a tail of the one at `page`.
  private func isHead(_ page: UInt64) -> Bool {
    guard let link = memory.word(at: page &+ vmemmap.stride &+ 8) else { return false }
    return link & 1 == 1
  }
}
