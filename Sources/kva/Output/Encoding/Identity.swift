import KernelVA

extension Output {
  /// An identity as one JSON object; parts that do not apply are left out.
  func identityJSON(_ identity: AddressIdentity, _ kernel: Kernel) {
    let resolution = identity.resolution
    jsonLine { object in
      object.string("query", resolution.query)
      object.string("status", resolution.status.rawValue)
      object.hex("virtual", resolution.virtual?.rawValue)
      object.hex("physical", identity.physical?.rawValue)
      object.string("region", resolution.region?.rawValue)
      object.string("kind", identity.kind)
      if let tag = resolution.tag { object.hex("tag", UInt64(tag)) }
      if let stripped = identity.withoutPAC { object.hex("withoutPAC", stripped) }
      if let poison = identity.poison { object.string("poison", poison) }
      if let symbol = resolution.symbol {
        object.string("symbol", symbol.name)
        object.number("offset", resolution.symbolOffset)
      }
      if let shadowed = resolution.shadowed {
        object.object("shadowed") { range in
          range.hex("start", shadowed.lowerBound)
          range.hex("end", shadowed.upperBound &+ 1)
        }
      }
      object.hypervisorAddress(resolution.hypervisor)
      if let source = identity.source {
        object.object("source") { part in
          part.sourceLine(source)
        }
      }
      if let module = identity.module {
        object.object("module") { part in
          part.string("name", module.name)
          part.string("section", module.part)
        }
      }
      if let area = identity.area {
        object.object("vmalloc") { part in
          part.hex("start", area.start)
          part.hex("end", area.end)
          part.string("caller", area.caller.map { kernel.describeCaller($0).text })
          part.strings("flags", area.flags)
        }
      }
      if let task = identity.task {
        object.object("task") { part in
          part.task(task.task)
          part.string("part", task.part)
          part.number("offset", task.offset)
        }
      }
      if let place = identity.stack { object.object("stack") { $0.stackPlace(place, kernel) } }
      if let perCPU = identity.perCPU {
        object.object("perCPU") { part in
          part.string("name", perCPU.name)
          part.number("cpu", perCPU.cpu)
          part.number("offset", perCPU.offset)
        }
      }
      if let slab = identity.slab { object.object("slab") { $0.slabPart(slab, kernel) } }
      for (name, frame) in [("frame", identity.frame), ("page", identity.describedFrame)] {
        guard let frame else { continue }
        object.object(name) { part in
          part.number("number", frame.frame)
          part.hex("structPage", frame.structure)
          part.string("use", frame.use?.rawValue)
          part.string("owner", frame.owner)
          part.string("zone", frame.zone)
        }
      }
      object.places(identity)
      if !identity.notes.isEmpty {
        object.strings("notes", identity.notes)
        object.diagnostics(identity.notes)
      }
      object.diagnostic("doubt", resolution.doubt)
      object.message(of: resolution)
    }
  }

  /// An identity as text: a line for the address, then one for each thing known.
  func identityText(_ identity: AddressIdentity, _ kernel: Kernel) {
    let resolution = identity.resolution
    folded {
      text(resolution.query)
      text(": \(identity.kind)")
      if let poison = identity.poison { text(", \(poison)") }
      newline()
    }
    func line(_ name: String, _ value: String) { field("    \(name)", value, indent: 16) }
    if let stripped = identity.withoutPAC { line("without PAC", Words.hex(stripped)) }
    if let tag = resolution.tag { line("tag", Words.hex(UInt64(tag))) }
    if let virtual = resolution.virtual { line("virtual", Words.hex(virtual.rawValue)) }
    if let leaf = resolution.leaf {
      line("physical", "\(Words.hex(leaf.physical.rawValue))\(resolution.absence == nil ? "" : " (not in the dump)")")
      line("mapping", "\(Words.size(leaf.size)) at level \(leaf.level), \(Words.permissions(leaf.attributes))")
    } else if identity.poison == nil {
      line("status", "\(resolution.status.rawValue)\(Words.message(of: resolution).map { ": \($0)" } ?? "")")
    }
    if resolution.leaf == nil, let physical = identity.physical { line("physical", Words.hex(physical.rawValue)) }
    if let region = resolution.region { line("region", region.rawValue) }
    if let symbol = resolution.symbol {
      let module = symbol.module.map { " [\($0)]" } ?? ""
      line("symbol", "\(symbol.name)+0x\(String(resolution.symbolOffset, radix: 16))\(module)")
    }
    if let shadowed = resolution.shadowed {
      line("shadow of", Words.range(shadowed.lowerBound, shadowed.upperBound))
    }
    if let place = resolution.hypervisor { line("hypervisor", Words.place(place)) }
    if let source = identity.source { line("source", "\(source.file):\(source.line)") }
    if let module = identity.module { line("module", "\(module.name), its \(module.part)") }
    if let area = identity.area {
      let caller = area.caller.map { " of \(kernel.describeCaller($0).text)" } ?? ""
      line("vmalloc", "\(Words.range(area.start, area.end &- 1))\(caller), \(area.flags.joined(separator: " "))")
    }
    if let found = identity.task {
      line(
        "task",
        "\(found.part)+0x\(String(found.offset, radix: 16)) of \(found.task.comm), pid \(found.task.pid), "
          + "state \(found.task.state)")
    }
    if let place = identity.stack { line("stack", Words.place(place)) }
    if let perCPU = identity.perCPU {
      line("per-CPU", "\(perCPU.name)+0x\(String(perCPU.offset, radix: 16)) of CPU \(perCPU.cpu)")
    }
    if let slab = identity.slab {
      line("slab", Words.slab(slab))
      if let cgroup = slab.cgroup { line("cgroup", cgroup) }
      slabTracksText(slab.tracks, kernel)
    }
    for (name, frame) in [("frame", identity.frame), ("page of", identity.describedFrame)] {
      guard let frame else { continue }
      line(
        name,
        "0x\(String(frame.frame, radix: 16)), struct page at \(Words.hex(frame.structure))"
          + "\(frame.zone.map { ", zone \($0)" } ?? "")")
      guard let use = frame.use else { continue }
      line("used as", "\(use.rawValue)\(frame.owner.map { ", \($0)" } ?? "")")
    }
    for (name, value) in Words.places(identity) { line(name, value) }
    if let doubt = resolution.doubt { line("doubtful", doubt.advised) }
    for note in identity.notes { line("note", note.advised) }
  }
}
