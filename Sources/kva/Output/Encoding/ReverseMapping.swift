import KernelVA

extension Output {
  /// One mapping as a JSON object.
  func reverseMappingJSON(_ mapping: ReverseMapping, of physical: PhysicalAddress, _ kernel: Kernel) {
    jsonLine { object in
      object.hex("physical", physical.rawValue)
      object.hex("virtual", mapping.virtual.rawValue)
      if let through = mapping.through { object.hex("through", through) }
      object.string("region", mapping.region?.rawValue)
      if let task = mapping.task {
        object.number("pid", task.pid)
        object.string("comm", task.comm)
      }
      if let symbol = kernel.symbols.symbol(containing: mapping.virtual.rawValue) {
        object.string("symbol", symbol.name)
        object.number("offset", mapping.virtual.rawValue &- symbol.address)
      }
      object.object("mapping") {
        $0.mapping(
          level: mapping.entry.level, size: mapping.entry.size,
          isContiguous: Attributes(mapping.entry.descriptor).isContiguous)
      }
      object.object("attributes") {
        $0.attributes(
          Attributes(mapping.entry.descriptor, tables: mapping.entry.tables), kernel.regime, kernel)
      }
      object.hex("address", mapping.entry.address.rawValue)
      object.hex("descriptor", mapping.entry.descriptor.rawValue)
      object.diagnostic("doubt", doubt(mapping, kernel))
    }
  }

  /// One mapping as a line.
  func reverseMappingText(_ mapping: ReverseMapping, of physical: PhysicalAddress, _ kernel: Kernel) {
    folded {
      let attributes = Attributes(mapping.entry.descriptor, tables: mapping.entry.tables)
      hex(physical.rawValue)
      text(" <- ")
      hex(mapping.virtual.rawValue)
      if let through = mapping.through {
        text(" to ")
        hex(through)
        text(" again and again")
      }
      text("  ")
      if let task = mapping.task { text("pid \(task.pid) \(task.comm), ") }
      if let region = mapping.region { text("\(region.rawValue), ") }
      text("\(Words.size(mapping.entry.size)) \(mapping.entry.level == 3 ? "page" : "block"), ")
      text(Words.permissions(attributes))
      if let type = kernel.memoryType(attributes.attrIndex) { text(", \(type.rawValue)") }
      if let symbol = kernel.symbols.symbol(containing: mapping.virtual.rawValue) {
        text("  <\(symbol.name)+0x\(String(mapping.virtual.rawValue &- symbol.address, radix: 16))>")
      }
      if let doubt = doubt(mapping, kernel) { text("; doubtful: \(doubt.advised)") }
      newline()
    }
  }

  /// Why a mapping in the kernel's tables may be bogus.
  private func doubt(_ mapping: ReverseMapping, _ kernel: Kernel) -> Diagnostic? {
    mapping.task == nil ? kernel.doubt(of: mapping.virtual) : nil
  }
}
