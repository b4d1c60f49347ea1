import KernelVA

extension JSONObject {
  /// The aliases of an address, and the owners of its memory.
  mutating func places(_ identity: AddressIdentity) {
    if let alias = identity.linearAlias { hex("linearAlias", alias) }
    if let alias = identity.imageAlias { hex("imageAlias", alias) }
    if let slot = identity.fixmapSlot { string("fixmapSlot", slot) }
    if let meaning = identity.shadowMeaning { string("shadow", meaning) }
    if let table = identity.table {
      object("table") { part in
        part.number("pid", table.task?.tgid)
        part.string("comm", table.task?.comm)
        part.number("level", table.level)
        part.number("index", table.index)
        part.hex("start", table.start)
        part.hex("end", table.last &+ 1)
      }
    }
    if let user = identity.user, let mapping = user.mapping {
      object("vma") { part in
        part.number("pid", user.task.tgid)
        part.string("comm", user.task.comm)
        part.hex("start", mapping.start)
        part.hex("end", mapping.end)
        part.string("permissions", mapping.permissions)
        part.string("name", mapping.name)
        part.hex("fileOffset", user.fileOffset)
        part.number("cachedFrame", user.cachedFrame)
      }
    }
    if let swap = identity.swap {
      object("swap") { part in
        part.number("type", swap.type)
        part.hex("slot", swap.offset)
        part.string("path", swap.path)
      }
    }
    if !identity.resources.isEmpty {
      array("resources", identity.resources) { part, resource in
        part.string("name", resource.name)
        part.hex("start", resource.start)
        part.hex("end", resource.last &+ 1)
      }
    }
    if !identity.memblock.isEmpty { strings("memblock", identity.memblock) }
  }
}

extension Words {
  /// The same as text: labels and values.
  static func places(_ identity: AddressIdentity) -> [(String, String)] {
    var lines: [(String, String)] = []
    if let alias = identity.linearAlias { lines.append(("linear map", hex(alias))) }
    if let alias = identity.imageAlias { lines.append(("image", hex(alias))) }
    if let slot = identity.fixmapSlot { lines.append(("slot", slot)) }
    if let meaning = identity.shadowMeaning { lines.append(("shadow", meaning)) }
    if let table = identity.table {
      let owner = table.task.map { "PID \($0.tgid) (\($0.comm))" } ?? "the kernel"
      lines.append(
        ("table", "level \(table.level) of \(owner), entry \(table.index): \(hex(table.start))-\(hex(table.last &+ 1))")
      )
    }
    if let user = identity.user {
      let process = "PID \(user.task.tgid) (\(user.task.comm))"
      if let mapping = user.mapping {
        let name = mapping.name.map { " \($0)" } ?? ""
        let offset = user.fileOffset.map { " at \(hex($0))" } ?? ""
        lines.append(
          ("VMA", "\(hex(mapping.start))-\(hex(mapping.end)) \(mapping.permissions)\(name)\(offset), of \(process)"))
        if let frame = user.cachedFrame, identity.frame?.frame != frame {
          lines.append(("page cache", "frame 0x\(String(frame, radix: 16))"))
        }
      } else {
        lines.append(("VMA", "none of \(process)"))
      }
    }
    if let swap = identity.swap {
      lines.append(("swap", "area \(swap.type)\(swap.path.map { ", \($0)" } ?? ""), slot \(hex(swap.offset))"))
    }
    if !identity.resources.isEmpty {
      lines.append(("resource", identity.resources.map(\.name).joined(separator: " / ")))
    }
    if !identity.memblock.isEmpty { lines.append(("memblock", identity.memblock.joined(separator: "; "))) }
    return lines
  }
}
