import KernelVA

extension Output {
  /// A VMA as a JSON object.
  func mappingJSON(_ mapping: UserMapping, _ pages: UserPages?) {
    jsonLine { object in
      object.hex("vma", mapping.structure)
      object.hex("start", mapping.start)
      object.hex("end", mapping.end)
      object.string("permissions", mapping.permissions)
      object.hex("offset", mapping.offset)
      object.string("device", device(mapping))
      object.number("inode", mapping.inode)
      object.string("name", mapping.name)
      object.strings("flags", mapping.flagNames)
      object.number("resident", pages?.resident)
      object.number("swapped", pages?.swapped)
    }
  }

  /// A VMA as the kernel prints it in /proc/PID/maps. (`show_map_vma`, fs/proc/task_mmu.c)
  func mappingText(_ mapping: UserMapping) {
    func hex(_ value: UInt64) -> String {
      let digits = String(value, radix: 16)
      return String(repeating: "0", count: max(0, 8 - digits.utf8.count)) + digits
    }
    let line =
      "\(hex(mapping.start))-\(hex(mapping.end)) \(mapping.permissions) \(hex(mapping.offset)) \(device(mapping)) "
      + "\(mapping.inode) "
    text(line)
    if let name = mapping.name {
      spaces(73 - line.utf8.count)
      printable(name.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\\012"))
    }
    newline()
  }

  private func device(_ mapping: UserMapping) -> String {
    func two(_ value: UInt64) -> String { (value < 16 ? "0" : "") + String(value, radix: 16) }
    return "\(two(mapping.device.major)):\(two(mapping.device.minor))"
  }
}
