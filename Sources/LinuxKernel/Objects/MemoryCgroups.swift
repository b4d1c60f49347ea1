import Bytes
import DebugInfo
import Synchronization

/// Names the memory cgroups that pages and slab objects are charged to.
///
/// A page of a process or a file points to its `mem_cgroup`; since 7.0, like kernel memory always, to an `obj_cgroup`
/// that points there. No member says which, but only a real cgroup has a directory that points back. (mm/memcontrol.c,
/// kernel/cgroup/cgroup.c)
final class MemoryCgroups: Sendable {
  private let memory: KernelMemory
  private let cgroup: TypeMember
  private let state: TypeMember?
  private let owner: TypeMember?
  private let directory: TypeMember
  private let name: TypeMember
  private let parent: TypeMember
  private let back: TypeMember
  private let known = Mutex<[UInt64: String?]>([:])

  /// CSS_ONLINE.
  private static let online: UInt64 = 1 << 1
  /// The type bits of `memcg_data`.
  private static let kinds: UInt64 = 7

  /// nil if the kernel has no memory cgroups, or their types are unknown.
  init?(_ memory: KernelMemory, _ types: KernelTypes) {
    guard let cgroup = types.member("css.cgroup", of: "mem_cgroup"), let directory = types.member("kn", of: "cgroup"),
      let name = types.member("name", of: "kernfs_node"),
      let parent = types.member("__parent", of: "kernfs_node") ?? types.member("parent", of: "kernfs_node"),
      let back = types.member("priv", of: "kernfs_node")
    else { return nil }
    self.memory = memory
    self.cgroup = cgroup
    self.directory = directory
    self.name = name
    self.parent = parent
    self.back = back
    state = types.member("css.flags", of: "mem_cgroup")
    owner = types.member("memcg", of: "obj_cgroup")
  }

  private func view(_ address: UInt64) -> StructView { StructView(space: memory, address: address) }

  /// The path of the cgroup that a page or a slab object is charged to, from the root of the hierarchy; nil if it is
  /// not a cgroup.
  ///
  /// - Parameter word: the pointer to a `mem_cgroup` or `obj_cgroup`, with or without the type bits of `memcg_data`.
  func path(chargedTo word: UInt64) -> String? {
    let pointer = memory.untagged(word & ~Self.kinds)
    guard pointer >> 55 == 0x1ff else { return nil }
    if let path = known.withLock({ $0[pointer] }) { return path }
    let path = path(of: pointer) ?? owner.flatMap { view(pointer).pointer($0) }.flatMap(path(of:))
    known.withLock { known in
      if known.count >= Limits.keptOwners { known = [:] }
      known[pointer] = .some(path)
    }
    return path
  }

  /// The path of the `mem_cgroup` at `address`; nil if there is none.
  private func path(of address: UInt64) -> String? {
    guard address & 7 == 0, let cgroup = view(address).pointer(cgroup), cgroup != 0,
      let first = view(cgroup).pointer(directory), first != 0, view(first).pointer(back) == cgroup
    else { return nil }
    var names: [String] = []
    var here = first
    for _ in 0..<Limits.pathSteps {
      guard let above = view(here).pointer(parent), let nameAt = view(here).pointer(name),
        let own = memory.string(at: nameAt, limit: 256)
      else { return nil }
      if above == 0 {
        let isOnline = state.flatMap { view(address).number($0) }.map { $0 & Self.online != 0 } ?? true
        return "/" + names.reversed().joined(separator: "/") + (isOnline ? "" : " (deleted)")
      }
      names.append(own)
      here = above
    }
    return nil
  }
}
