import DebugInfo

/// The per-CPU variable, and the CPU's copy, that an address is in.
extension AddressIdentifier {
  /// The variable of the kernel or a module of which some CPU's copy contains `address`.
  func perCPUVariable(at address: UInt64) -> AddressIdentity.PerCPUVariable? {
    guard let perCPU = perCPU.value, context.memory.leaf(at: address) != nil else { return nil }
    for (cpu, offset) in perCPU.offsets.enumerated() {
      let template = address &- offset
      let symbol: Symbol?
      if perCPU.section?.contains(template) ?? false {
        symbol = context.symbols.symbol(containing: template) ?? perCPU.symbol(containing: template)
        if symbol == nil { return nil }
      } else {
        symbol = moduleVariable(template)
      }
      guard let symbol else { continue }
      return AddressIdentity.PerCPUVariable(name: symbol.name, cpu: cpu, offset: template &- symbol.address)
    }
    return nil
  }

  /// The per-CPU variable of a module whose template would be at `address`: modules keep no template, but their symbols
  /// point there. (`percpu_modalloc`, kernel/module/main.c)
  private func moduleVariable(_ address: UInt64) -> Symbol? {
    for (module, table) in resolver.names.modules.tables.value {
      guard let range = module.perCPU, range.contains(address) else { continue }
      var best: Symbol?
      _ = table.value?.forEachSymbol { symbol in
        if range.contains(symbol.address), symbol.address <= address, best.map({ $0.address < symbol.address }) ?? true
        {
          best = symbol
        }
        return true
      }
      return best
    }
    return nil
  }

  /// The per-CPU memory of a slab cache that `address`, of CPU `cpu`, is in; nil if it belongs to none.
  func allocatedVariable(at address: UInt64, _ cpu: Int) -> AddressIdentity.PerCPUVariable? {
    guard let offsets = perCPU.value?.offsets, offsets.indices.contains(cpu),
      let (name, offset) = slabs.perCPUParts.value?.part(at: address &- offsets[cpu])
    else { return nil }
    return AddressIdentity.PerCPUVariable(name: name, cpu: cpu, offset: offset)
  }

  /// The CPU whose dynamic per-CPU memory contains `address`, in the first chunk or in the vmalloc `area`; nil if none
  /// does. In the first chunk dynamic memory follows the static variables; the others are vmalloc areas with a unit for
  /// each CPU. (`pcpu_embed_first_chunk`, mm/percpu.c; `pcpu_create_chunk`, mm/percpu-vm.c)
  func dynamicPerCPU(at address: UInt64, _ area: VmallocArea?) -> Int? {
    if area == nil, let perCPU = perCPU.value, let section = perCPU.section,
      let size = variable("pcpu_unit_size").flatMap({ context.memory.integer(UInt32.self, at: $0) })
    {
      return perCPU.offsets.firstIndex { offset in
        let place = address &- offset &- section.lowerBound
        return place >= UInt64(section.count) && place < UInt64(size)
      }
    }
    guard let area, let caller = area.caller,
      resolver.names.symbol(containing: caller)?.name.hasPrefix("pcpu_") ?? false,
      let size = variable("pcpu_unit_size").flatMap({ context.memory.integer(UInt32.self, at: $0) }), size > 0,
      let table = variable("pcpu_unit_offsets").flatMap({ context.memory.pointer(at: $0) }),
      let count = perCPU.value?.offsets.count
    else { return nil }
    let offsets = (0..<count).compactMap { context.memory.word(at: table &+ UInt64($0) &* 8) }
    guard offsets.count == count, let first = offsets.min() else { return nil }
    return offsets.firstIndex { address &- area.start &- ($0 &- first) < UInt64(size) }
  }

  private func variable(_ name: String) -> UInt64? { context.symbols.symbol(named: name)?.address }
}
