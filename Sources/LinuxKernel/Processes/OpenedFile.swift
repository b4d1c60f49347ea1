import DebugInfo

/// Reads `struct file`: an opened file as its process sees it.
struct OpenedFileReader: Sendable {
  let paths: FilePaths
  private let memory: KernelMemory
  private let mount: TypeMember
  private let dentry: TypeMember
  private let inode: TypeMember
  private let mode: TypeMember?
  private let inodeNumber: TypeMember
  private let superBlock: TypeMember
  private let device: TypeMember
  /// The path known to the process, of a backing file (overlayfs).
  private let userMount: TypeMember?
  private let userDentry: TypeMember?
  private let dentryOwner: TypeMember?
  private let mountOwner: TypeMember?

  /// An opened file.
  struct File: Hashable, Sendable {
    /// The device number (`dev_t`): the minor number in bits 19:0.
    var device: UInt64
    var inode: UInt64
    /// The path; nil if it cannot be read.
    var path: String?
  }

  /// nil if the types are unknown.
  init?(_ context: KernelContext, _ names: KernelNames) {
    let types = context.types.value
    guard let paths = FilePaths(context.memory, types, names),
      let mount = types.member("f_path.mnt", of: "file"), let dentry = types.member("f_path.dentry", of: "file"),
      let inode = types.member("f_inode", of: "file"), let inodeNumber = types.member("i_ino", of: "inode"),
      let superBlock = types.member("i_sb", of: "inode"), let device = types.member("s_dev", of: "super_block")
    else { return nil }
    self.paths = paths
    memory = context.memory
    self.mount = mount
    self.dentry = dentry
    self.inode = inode
    self.inodeNumber = inodeNumber
    self.superBlock = superBlock
    self.device = device
    mode = types.member("f_mode", of: "file")
    userMount = types.member("user_path.mnt", of: "backing_file")
    userDentry = types.member("user_path.dentry", of: "backing_file")
    dentryOwner = types.member("d_sb", of: "dentry")
    mountOwner = types.member("mnt_sb", of: "vfsmount")
  }

  /// The file whose structure is at `address`; nil if it cannot be read.
  func file(at address: UInt64) -> File? {
    let file = StructView(space: memory, address: address)
    var place: (mount: UInt64?, dentry: UInt64?, inode: UInt64?) =
      (file.pointer(mount), file.pointer(dentry), file.pointer(inode))
    if let known = userPath(file) { place = known }
    guard let mount = place.mount, let dentry = place.dentry, let inode = place.inode, inode != 0 else { return nil }
    let object = StructView(space: memory, address: inode)
    guard let number = object.number(inodeNumber), let owner = object.pointer(superBlock),
      let device = StructView(space: memory, address: owner).number(device)
    else { return nil }
    return File(device: device, inode: number, path: paths.path(mount, dentry))
  }

  /// Bits 24 and 25: FMODE_BACKING has been each of them in turn, and each has also been another flag.
  private static let backingBits: UInt64 = 3 << 24

  /// The user path of a `struct backing_file`, if `file` is embedded in one: then its mount and dentry belong to one
  /// filesystem. (`backing_file_open`, fs/backing-file.c)
  private func userPath(_ file: StructView) -> (mount: UInt64?, dentry: UInt64?, inode: UInt64?)? {
    guard let userMount, let userDentry, let dentryOwner, let mountOwner, let mode = file.number(mode),
      mode & Self.backingBits != 0, let mount = file.pointer(userMount), let dentry = file.pointer(userDentry),
      let owner = StructView(space: memory, address: dentry).pointer(dentryOwner), owner != 0,
      StructView(space: memory, address: mount).pointer(mountOwner) == owner, let inode = paths.inode(of: dentry)
    else { return nil }
    return (mount, dentry, inode)
  }
}
