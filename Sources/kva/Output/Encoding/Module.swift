import KernelVA

extension Output {
  /// One module as a JSON object.
  func moduleJSON(_ module: KernelModule) {
    jsonLine { object in
      object.string("name", module.name)
      object.hex("address", module.address)
      object.number("size", module.size)
      object.array("regions", module.regions) { region, value in
        region.string("kind", value.kind)
        region.hex("start", value.start)
        region.hex("end", value.end)
      }
      object.number("refcount", module.references)
    }
  }

  /// One module as a line, its memory below.
  func moduleText(_ module: KernelModule) {
    text(module.name)
    spaces(24 - module.name.utf8.count)
    text(" ")
    hex(module.address)
    text(" \(module.size) bytes, \(module.references.map(String.init) ?? "?") users")
    newline()
    for region in module.regions {
      text("    ")
      hex(region.start)
      text("-")
      hex(region.end)
      text(" \(region.kind)")
      newline()
    }
  }
}
