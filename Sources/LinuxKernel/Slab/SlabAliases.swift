import Bytes
import DebugInfo

/// The names of merged caches, from the links in /sys/kernel/slab: the kernel keeps them nowhere else.
/// (`sysfs_slab_alias`, mm/slub.c; `struct kernfs_node`, include/linux/kernfs.h)
struct SlabAliases {
  private let memory: KernelMemory
  private let kset: TypeMember
  private let directory: TypeMember
  private let kobject: TypeMember
  private let children: TypeMember
  private let node: TypeMember
  private let left: TypeMember
  private let right: TypeMember
  private let name: TypeMember
  private let flags: TypeMember
  private let target: TypeMember
  private let owner: TypeMember

  /// KERNFS_LINK.
  private static let link: UInt64 = 4

  /// nil if the types are unknown, or the kernel has no sysfs.
  init?(_ memory: KernelMemory, _ layout: SlabLayout, _ types: KernelTypes) {
    func node(_ path: String) -> TypeMember? { types.member(path, of: "kernfs_node") }
    guard let kobject = layout.kobject, let kset = types.member("kset", of: "kobject"),
      let directory = types.member("kobj.sd", of: "kset"), let children = node("dir.children"), let rb = node("rb"),
      let left = types.member("rb_left", of: "rb_node"), let right = types.member("rb_right", of: "rb_node"),
      let name = node("name"), let flags = node("flags"), let target = node("symlink.target_kn"),
      let owner = node("priv")
    else { return nil }
    self.memory = memory
    self.kobject = kobject
    self.kset = kset
    self.directory = directory
    self.children = children
    self.node = rb
    self.left = left
    self.right = right
    self.name = name
    self.flags = flags
    self.target = target
    self.owner = owner
  }

  /// The other names of each cache, by the cache's address.
  ///
  /// - Parameter cache: any cache, from which the directory is found.
  func all(from cache: UInt64) -> [UInt64: [String]] {
    func view(_ address: UInt64) -> StructView { StructView(space: memory, address: address) }
    guard let set = view(cache &+ UInt64(kobject.offset)).pointer(kset), set != 0,
      let top = view(set).pointer(directory), top != 0,
      let root = memory.pointer(at: top &+ UInt64(children.offset))
    else { return [:] }
    var result: [UInt64: [String]] = [:]
    var seen: Set<UInt64> = []
    var waiting = [root]
    while let link = waiting.popLast(), seen.count < Limits.caches {
      guard link != 0, seen.insert(link).inserted else { continue }
      let here = view(link)
      waiting += [here.pointer(left), here.pointer(right)].compactMap { $0 }
      let entry = view(link &- UInt64(node.offset))
      guard let kind = entry.number(flags), kind & 0xf == Self.link, let target = entry.pointer(target), target != 0,
        let owner = view(target).pointer(owner), owner != 0, let nameAt = entry.pointer(name),
        let name = memory.string(at: nameAt, limit: Limits.cacheName)
      else { continue }
      result[owner &- UInt64(kobject.offset), default: []].append(name)
    }
    return result.mapValues { $0.sorted() }
  }
}
