import VMSA

extension Kernel {
  /// The VMAs of `task`'s process, in address order; empty for a kernel thread.
  package func userMappings(of task: KernelTask) -> Listing<UserMapping> {
    task.mm.map { contents.addressSpaces.mappings(of: $0) } ?? Listing()
  }

  /// The open files of `task`'s process, by descriptor.
  package func openFiles(of task: KernelTask) -> Listing<OpenFile> { contents.addressSpaces.files(of: task) }

  /// The mounts that `task` sees, in the order they were mounted.
  package func mounts(of task: KernelTask) -> Listing<Mount> { contents.addressSpaces.mounts(of: task) }

  /// The frames that `task`'s process maps, and whether all its tables could be read; nil for a kernel thread.
  package func userFrames(of task: KernelTask) -> (frames: Set<UInt64>, isWhole: Bool)? {
    task.root.map { contents.addressSpaces.frames(root: $0) }
  }

  /// How much of each of `mappings`, those of `task`'s process, is in memory and in swap; nil if not all its tables can
  /// be read.
  package func userPages(of mappings: [UserMapping], _ task: KernelTask) -> [UserPages]? {
    task.root.flatMap { contents.addressSpaces.pages(of: mappings, root: $0) }
  }
}
