import Bytes
import DebugInfo

/// Names of files as /proc prints them: the path through dentries and mounts, up to the root of the mount namespace; or
/// the name that a pseudo filesystem generates. (`d_path`, fs/d_path.c)
struct FilePaths: Sendable {
  private let memory: KernelMemory
  private let names: KernelNames
  private let parent: TypeMember
  private let nameText: TypeMember
  private let nameLength: TypeMember
  private let hashLink: TypeMember
  private let dentryInode: TypeMember
  private let operations: TypeMember?
  private let makeName: TypeMember?
  private let privateData: TypeMember?
  private let inodeNumber: TypeMember?
  private let mountRoot: TypeMember
  private let mountOffset: Int
  private let mountParent: TypeMember
  private let mountpoint: TypeMember
  private let dmaBufferName: TypeMember?
  private let namespaceName: TypeMember?

  /// nil if the types are unknown.
  init?(_ memory: KernelMemory, _ types: KernelTypes, _ names: KernelNames) {
    func dentry(_ name: String) -> TypeMember? { types.member(name, of: "dentry") }
    guard let parent = dentry("d_parent"), let nameText = dentry("d_name.name"), let nameLength = dentry("d_name.len"),
      let hashLink = dentry("d_hash.pprev"), let dentryInode = dentry("d_inode"),
      let mountRoot = types.member("mnt_root", of: "vfsmount"), let mount = types.member("mnt", of: "mount"),
      let mountParent = types.member("mnt_parent", of: "mount"),
      let mountpoint = types.member("mnt_mountpoint", of: "mount")
    else { return nil }
    self.memory = memory
    self.names = names
    self.parent = parent
    self.nameText = nameText
    self.nameLength = nameLength
    self.hashLink = hashLink
    self.dentryInode = dentryInode
    self.mountRoot = mountRoot
    mountOffset = mount.offset
    self.mountParent = mountParent
    self.mountpoint = mountpoint
    operations = dentry("d_op")
    makeName = types.member("d_dname", of: "dentry_operations")
    privateData = dentry("d_fsdata")
    inodeNumber = types.member("i_ino", of: "inode")
    dmaBufferName = types.member("name", of: "dma_buf")
    namespaceName = types.member("name", of: "proc_ns_operations")
  }

  private func view(_ address: UInt64) -> StructView { StructView(space: memory, address: address) }

  /// The inode of `dentry`; nil if it has none.
  func inode(of dentry: UInt64) -> UInt64? { view(dentry).pointer(dentryInode).flatMap { $0 == 0 ? nil : $0 } }

  /// The name of `dentry` in the mount whose `vfsmount` is at `mount`; nil if it cannot be read.
  func path(_ mount: UInt64, _ dentry: UInt64) -> String? {
    guard let root = view(mount).pointer(mountRoot), let up = view(dentry).pointer(parent) else { return nil }
    if up != dentry || dentry != root, let name = madeUpName(dentry) { return name }
    guard let (path, _) = walk(mount, dentry) else { return nil }
    let isDeleted = up != dentry && view(dentry).number(hashLink) == 0
    return path + (isDeleted ? " (deleted)" : "")
  }

  /// A directory or a file: its dentry, in the mount whose `vfsmount` is at `mount`.
  struct Place: Hashable, Sendable {
    var mount: UInt64
    var dentry: UInt64
  }

  /// The path of `place` seen from `root`; nil if it is not below that, or cannot be read.
  func path(_ place: Place, below root: Place?) -> String? {
    walk(place.mount, place.dentry, below: root)?.path
  }

  /// The path from `end`, or else from the root of the namespace, and the mount there.
  private func walk(
    _ mount: UInt64, _ dentry: UInt64, below end: Place? = nil
  ) -> (path: String, mount: UInt64)? {
    var parts: [String] = []
    var mount = mount
    var here = dentry
    for _ in 0..<Limits.pathSteps {
      if let end, mount == end.mount, here == end.dentry {
        return ("/" + parts.reversed().joined(separator: "/"), mount)
      }
      guard let root = view(mount).pointer(mountRoot) else { return nil }
      if here == root {
        let container = mount &- UInt64(mountOffset)
        guard let above = view(container).pointer(mountParent) else { return nil }
        if above == container { return end != nil ? nil : ("/" + parts.reversed().joined(separator: "/"), mount) }
        guard let place = view(container).pointer(mountpoint) else { return nil }
        here = place
        mount = above &+ UInt64(mountOffset)
        continue
      }
      guard let up = view(here).pointer(parent) else { return nil }
      // The file is no longer under the mount's root.
      if up == here { return end != nil ? nil : ("/" + parts.reversed().joined(separator: "/"), mount) }
      guard let name = name(of: here) else { return nil }
      parts.append(name)
      here = up
    }
    return nil
  }

  /// `d_name`. (`struct qstr`, include/linux/dcache.h; NAME_MAX)
  func name(of dentry: UInt64) -> String? {
    guard let start = view(dentry).pointer(nameText), let length = view(dentry).number(nameLength), length <= 255 else {
      return nil
    }
    return memory.bytes(at: start, count: Int(length)).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The name that the filesystem's own function (`d_dname`) generates for a dentry without a path; nil if there is
  /// none.
  private func madeUpName(_ dentry: UInt64) -> String? {
    guard let operations, let makeName, let table = view(dentry).pointer(operations), table != 0,
      let function = view(table).pointer(makeName), function != 0
    else { return nil }
    let name = name(of: dentry) ?? "?"
    let number = inode(of: dentry).flatMap { view($0).number(inodeNumber) } ?? 0
    let data = view(dentry).pointer(privateData)
    switch names.symbol(containing: function)?.name {
    case "pipefs_dname": return "pipe:[\(number)]"
    case "sockfs_dname": return "socket:[\(number)]"
    case "pidfs_dname": return "pidfd:[\(number)]"
    case "anon_inodefs_dname": return "anon_inode:\(name)"
    case "dmabuffs_dname":
      let own = data.flatMap { view($0).pointer(dmaBufferName) }.flatMap {
        $0 == 0 ? nil : memory.string(at: $0, limit: 64)
      }
      return "/\(name):\(own ?? "")"
    case "ns_dname":
      let kind = data.flatMap { view($0).pointer(namespaceName) }.flatMap { memory.string(at: $0, limit: 32) }
      return "\(kind ?? name):[\(number)]"
    // simple_dname, and similar functions.
    default: return "/\(name) (deleted)"
    }
  }
}
