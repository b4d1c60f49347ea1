import Bytes
import DebugInfo

/// A mount in the namespace of a process.
package struct Mount: Sendable {
  /// Its `struct mount`.
  package let structure: UInt64
  /// `mnt_id`.
  package let id: Int
  /// The ID of the mount it is mounted on; its own for the root of the namespace.
  package let parent: Int?
  /// The device, or another source, that was mounted.
  package let source: String
  /// The mount point, seen from the process's root.
  package let target: String
  /// The filesystem type.
  package let type: String
  /// The options common to all filesystems, "rw" or "ro" first.
  package let options: [String]
  /// The address of its `super_block`.
  package let superBlock: UInt64
}

/// Reads the mounts of a process as in /proc/PID/mounts, without the options that filesystems print themselves.
/// (`show_vfsmnt`, fs/proc_namespace.c; `struct mount`, fs/mount.h)
struct MountReader: Sendable {
  private let memory: KernelMemory
  private let paths: FilePaths
  private let proxy: TypeMember
  private let namespace: TypeMember
  private let fileSystems: TypeMember?
  private let rootMount: TypeMember?
  private let rootDentry: TypeMember?
  private let tree: TypeMember?
  private let treeLink: TypeMember?
  private let left: TypeMember?
  private let right: TypeMember?
  private let list: TypeMember?
  private let listLink: TypeMember?
  private let body: TypeMember
  private let source: TypeMember
  private let id: TypeMember?
  private let parent: TypeMember
  private let root: TypeMember
  private let superBlock: TypeMember
  private let flags: TypeMember
  private let superFlags: TypeMember?
  private let type: TypeMember
  private let typeName: TypeMember
  private let subtype: TypeMember?

  /// nil if the types are unknown.
  init?(_ context: KernelContext, _ names: KernelNames) {
    let types = context.types.value
    func mount(_ name: String) -> TypeMember? { types.member(name, of: "mount") }
    guard let paths = FilePaths(context.memory, types, names), let proxy = types.member("nsproxy", of: "task_struct"),
      let namespace = types.member("mnt_ns", of: "nsproxy"), let body = mount("mnt"),
      let source = mount("mnt_devname"), let parent = mount("mnt_parent"),
      let root = types.member("mnt_root", of: "vfsmount"), let superBlock = types.member("mnt_sb", of: "vfsmount"),
      let flags = types.member("mnt_flags", of: "vfsmount"), let type = types.member("s_type", of: "super_block"),
      let typeName = types.member("name", of: "file_system_type")
    else { return nil }
    memory = context.memory
    self.paths = paths
    self.proxy = proxy
    self.namespace = namespace
    self.body = body
    self.source = source
    self.parent = parent
    self.root = root
    self.superBlock = superBlock
    self.flags = flags
    self.type = type
    self.typeName = typeName
    id = mount("mnt_id")
    fileSystems = types.member("fs", of: "task_struct")
    rootMount = types.member("root.mnt", of: "fs_struct")
    rootDentry = types.member("root.dentry", of: "fs_struct")
    // A tree since 6.8 (2eea9ce4310d "mounts: keep list of mounts in an rbtree"); the member of that name was a count
    // before.
    treeLink = mount("mnt_node")
    tree = treeLink == nil ? nil : types.member("mounts.rb_node", of: "mnt_namespace")
    left = types.member("rb_left", of: "rb_node")
    right = types.member("rb_right", of: "rb_node")
    list = types.member("list", of: "mnt_namespace")
    listLink = mount("mnt_list")
    superFlags = types.member("s_flags", of: "super_block")
    subtype = types.member("s_subtype", of: "super_block")
  }

  private func view(_ address: UInt64) -> StructView { StructView(space: memory, address: address) }

  /// The mounts that `task` sees, in the order they were mounted.
  func mounts(of task: KernelTask) -> Listing<Mount> {
    var result = Listing<Mount>()
    guard let proxy = view(task.structure).pointer(proxy) else {
      result.note(
        .objectUnreadable, hex(task.structure), text: "the task_struct at \(hex(task.structure)) cannot be read")
      return result
    }
    // A task that has exited has none.
    guard proxy != 0, let namespace = view(proxy).pointer(namespace), namespace != 0 else { return result }
    let own = fileSystems.flatMap { view(task.structure).pointer($0) }.flatMap { $0 == 0 ? nil : view($0) }
    let root = own.flatMap { fs in
      fs.pointer(rootMount).flatMap { mount in fs.pointer(rootDentry).map { FilePaths.Place(mount: mount, dentry: $0) }
      }
    }
    for address in all(of: namespace, &result) {
      guard let found = mount(at: address, root) else {
        result.note(.objectUnreadable, hex(address), text: "the mount at \(hex(address)) cannot be read, or is damaged")
        continue
      }
      // The process does not see mounts outside its root.
      if let found { result.elements.append(found) }
    }
    return result
  }

  private func all(of namespace: UInt64, _ result: inout Listing<Mount>) -> [UInt64] {
    if let tree, let treeLink, let left, let right, let top = view(namespace).pointer(tree) {
      var found: [UInt64] = []
      var above: [UInt64] = []
      var seen: Set<UInt64> = []
      var here = top
      while here != 0 || !above.isEmpty {
        while here != 0 {
          guard seen.count < Limits.treeNodes, seen.insert(here).inserted, let next = view(here).pointer(left) else {
            result.note(
              .listBroken, "mounts", text: "the tree of mounts is damaged at \(hex(here)), or not in the dump")
            return found
          }
          above.append(here)
          here = next
        }
        let node = above.removeLast()
        found.append(node &- UInt64(treeLink.offset))
        here = view(node).pointer(right) ?? 0
      }
      return found
    }
    guard let list, let listLink else {
      result.note(.typeUnknown, "mnt_namespace", text: "where a mnt_namespace has its mounts is not known")
      return []
    }
    let links = memory.list(at: namespace &+ UInt64(list.offset), named: "of mounts")
    result.note(links.notes)
    return links.elements.map { $0 &- UInt64(listLink.offset) }
  }

  /// The mount at `address`: `.some(nil)` if the process does not see it, nil if it cannot be read.
  private func mount(at address: UInt64, _ seen: FilePaths.Place?) -> Mount?? {
    let mount = view(address)
    let part = view(address &+ UInt64(body.offset))
    guard let bits = part.number(flags) else { return nil }
    // A reader's cursor in the list. (MNT_CURSOR)
    if bits & 0x1000_0000 != 0, part.pointer(root) == 0 { return .some(nil) }
    guard let root = part.pointer(root), root != 0, let parent = mount.pointer(parent),
      let filesystem = part.pointer(superBlock), filesystem != 0, let kind = view(filesystem).pointer(type),
      let nameAt = view(kind).pointer(typeName), let name = memory.string(at: nameAt, limit: 64)
    else { return nil }
    let place = FilePaths.Place(mount: part.address, dentry: root)
    guard let target = paths.path(place, below: seen) else { return .some(nil) }
    let device = mount.pointer(source).flatMap { $0 == 0 ? nil : memory.string(at: $0, limit: 4096) }
    let subtype = view(filesystem).pointer(subtype).flatMap { $0 == 0 ? nil : memory.string(at: $0, limit: 64) }
    return Mount(
      structure: address, id: mount.number(id).map { Int(Int32(truncatingIfNeeded: $0)) } ?? -1,
      parent: view(parent).number(id).map { Int(Int32(truncatingIfNeeded: $0)) }, source: device ?? "none",
      target: target, type: name + (subtype.map { ".\($0)" } ?? ""),
      options: Self.options(bits, view(filesystem).number(superFlags) ?? 0), superBlock: filesystem)
  }

  /// SB_ and MNT_ flags as mount options. (include/linux/fs.h, include/linux/mount.h)
  private static func options(_ flags: UInt64, _ superFlags: UInt64) -> [String] {
    let isReadOnly = flags & 0x40 != 0 || superFlags & 1 != 0
    let ofAll: [(UInt64, String)] = [(1 << 4, "sync"), (1 << 7, "dirsync"), (1 << 6, "mand"), (1 << 25, "lazytime")]
    let own: [(UInt64, String)] = [
      (1, "nosuid"), (2, "nodev"), (4, "noexec"), (8, "noatime"), (0x10, "nodiratime"), (0x20, "relatime"),
      (0x80, "nosymfollow"),
    ]
    return [isReadOnly ? "ro" : "rw"] + ofAll.filter { superFlags & $0.0 != 0 }.map(\.1)
      + own.filter { flags & $0.0 != 0 }.map(\.1)
  }
}
