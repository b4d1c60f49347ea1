import KernelVA

extension Output {
  /// A mount as a JSON object.
  func mountJSON(_ mount: Mount) {
    jsonLine { object in
      object.hex("mount", mount.structure)
      object.number("id", mount.id)
      object.number("parent", mount.parent)
      object.hex("superBlock", mount.superBlock)
      object.string("source", mount.source)
      object.string("target", mount.target)
      object.string("type", mount.type)
      object.strings("options", mount.options)
    }
  }

  /// Mounts as a table.
  func mountTable(_ mounts: [Mount]) {
    table(.left("MOUNT"), .left("SUPERBLOCK"), .left("TYPE"), .left("SOURCE"), .left("OPTIONS"), .left("TARGET")) {
      table in
      for mount in mounts {
        table.row(
          Words.hex(mount.structure), Words.hex(mount.superBlock), mount.type, mount.source,
          mount.options.joined(separator: ","), mount.target)
      }
    }
  }
}
