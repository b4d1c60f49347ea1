import KernelVA

/// A named part of the kernel's half: a module, a vmalloc area, a stack, a BPF program.
struct AddressArea {
  /// The kind of part, by the name that the page shows.
  enum Kind: String { case module, vmalloc, stack, bpf }

  let kind: Kind
  let first: UInt64
  let last: UInt64
  let name: String
}

extension Kernel {
  /// The named parts of the kernel's half in address order, at most `Limits.drawnAreas`.
  var namedAreas: [AddressArea] {
    var stacks: [UInt64: KernelTask] = [:]
    for task in allTasks where task.stack != 0 { stacks[task.stack] = task }
    var areas: [AddressArea] = []
    for module in modules.elements {
      for part in module.regions where part.start < part.end {
        areas.append(
          AddressArea(kind: .module, first: part.start, last: part.end - 1, name: "\(module.name) \(part.kind)"))
      }
    }
    for area in vmallocAreas.elements where area.start < area.end {
      if areas.count >= Limits.drawnAreas { break }
      if let task = stacks.removeValue(forKey: area.start) {
        areas.append(
          AddressArea(kind: .stack, first: area.start, last: area.end - 1, name: "stack of \(task.comm), \(task.pid)"))
        continue
      }
      let caller = area.caller.map { describeCaller($0) }
      let name = (caller?.text ?? "?") + (caller?.module.map { " [\($0)]" } ?? "")
      areas.append(AddressArea(kind: .vmalloc, first: area.start, last: area.end - 1, name: name))
    }
    forEachSymbol { symbol in
      if symbol.module == "bpf", symbol.address &+ max(symbol.size, 1) > symbol.address {
        areas.append(
          AddressArea(
            kind: .bpf, first: symbol.address, last: symbol.address + max(symbol.size, 1) - 1, name: symbol.name))
      }
      return areas.count < Limits.drawnAreas
    }
    return areas.sorted { ($0.first, $1.last) < ($1.first, $0.last) }
  }
}
