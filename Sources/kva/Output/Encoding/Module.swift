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
      if let users = module.users { object.strings("users", users) } else { object.string("users", nil) }
      object.string("taint", module.taint)
    }
  }

  /// Modules as a table.
  func moduleTable(_ modules: [KernelModule]) {
    table(
      .left("MODULE"), .left("ADDRESS"), .right("SIZE"), .right("REFS"), .left("TAINT"), .left("USED BY")
    ) { table in
      for module in modules {
        table.row(
          module.name, Words.hex(module.address), Words.size(module.size),
          module.references.map { "\($0)" } ?? "?", module.taint.map { $0.isEmpty ? "-" : $0 } ?? "?",
          module.users.map { $0.isEmpty ? "-" : $0.joined(separator: ", ") } ?? "?")
      }
    }
  }

  /// The memory of modules, a line per piece.
  func moduleMemoryTable(_ modules: [KernelModule]) {
    table(.left("MODULE"), .left(Words.rangeHeader), .right("SIZE"), .left("MEMORY")) { table in
      for module in modules {
        for region in module.regions {
          table.row(
            module.name, Words.range(region.start, region.end &- 1), Words.size(region.end &- region.start),
            region.kind)
        }
      }
    }
  }
}

extension KernelModule {
  /// Its taint letters, as in /proc/modules; nil if unreadable.
  fileprivate var taint: String? { taints.map { Taint(mask: $0).letters } }
}
