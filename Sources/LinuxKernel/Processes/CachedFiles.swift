import DebugInfo

/// Names the file that an `address_space` caches. (include/linux/fs.h)
struct CachedFiles: Sendable {
  private let memory: KernelMemory
  private let paths: FilePaths
  private let host: TypeMember
  private let own: TypeMember
  private let names: TypeMember
  private let link: TypeMember
  private let number: TypeMember
  private let superBlock: TypeMember
  private let label: TypeMember?
  private let mounts: TypeMember?
  private let mountLink: TypeMember?
  private let mountBody: TypeMember?

  /// The most mounts of one filesystem tried.
  private static let tried = 16

  /// nil if the types are unknown.
  init?(_ memory: KernelMemory, _ types: KernelTypes, _ paths: FilePaths) {
    func inode(_ name: String) -> TypeMember? { types.member(name, of: "inode") }
    guard let host = types.member("host", of: "address_space"), let own = inode("i_mapping"),
      let names = inode("i_dentry"), let number = inode("i_ino"), let superBlock = inode("i_sb"),
      let link = types.member("d_u.d_alias", "d_alias", of: "dentry")
    else { return nil }
    self.memory = memory
    self.paths = paths
    self.host = host
    self.own = own
    self.names = names
    self.link = link
    self.number = number
    self.superBlock = superBlock
    label = types.member("s_id", of: "super_block")
    let instance = types.member("mnt_instance", of: "mount")
    // A `list_head` until 6.17; since then the mounts are chained directly.
    mounts = types.member("s_mounts", of: "super_block")
    mountLink = instance ?? types.member("mnt_next_for_sb", of: "mount")
    mountBody = types.member("mnt", of: "mount")
  }

  /// The path of the file whose page cache is the `address_space` at `mapping`; without a path, whatever identifies it.
  /// nil if it is not an `address_space`, or cannot be read.
  func name(ofMapping mapping: UInt64) -> String? {
    func view(_ address: UInt64) -> StructView { StructView(space: memory, address: address) }
    guard let inode = view(mapping).pointer(host), inode != 0, view(inode).pointer(own) == mapping,
      let ino = view(inode).number(number), let filesystem = view(inode).pointer(superBlock), filesystem != 0
    else { return nil }
    let label = label.flatMap { view(filesystem).text($0) } ?? "?"
    guard let first = view(inode).pointer(names), first != 0 else { return "inode \(ino) of \(label)" }
    let dentry = first &- UInt64(link.offset)
    for mount in self.mounts(of: filesystem) {
      if let path = paths.path(mount, dentry) { return path }
    }
    return paths.name(of: dentry).map { "\($0) of \(label)" } ?? "inode \(ino) of \(label)"
  }

  /// The `vfsmount`s of a filesystem.
  private func mounts(of filesystem: UInt64) -> [UInt64] {
    guard let mounts, let mountLink, let mountBody else { return [] }
    let head = filesystem &+ UInt64(mounts.offset)
    var result: [UInt64] = []
    if mounts.size == 16 {
      let list = memory.list(at: head, named: "s_mounts", limit: Self.tried)
      result = list.elements.map { $0 &- UInt64(mountLink.offset) }
    } else {
      var here = memory.pointer(at: head)
      while let mount = here, mount != 0, result.count < Self.tried {
        result.append(mount)
        here = StructView(space: memory, address: mount).pointer(mountLink)
      }
    }
    return result.map { $0 &+ UInt64(mountBody.offset) }
  }
}
