import Bytes
import DebugInfo
import VMSA

/// Finds the owners of frames that their `struct page` does not show: vmalloc areas, stacks, per-CPU data, the kernel's
/// own page tables.
struct FrameClaimFinder {
  let context: KernelContext
  let names: KernelNames
  let modules: LoadedModules
  let areas: [VmallocArea]
  let tasks: [KernelTask]
  let stacks: CPUStacks
  let perCPU: PerCPU?
  let pages: PageArray
  /// The `struct pglist_data` of each node.
  let nodes: [UInt64]

  private var shift: UInt64 { UInt64(context.regime.granule.pageShift) }

  /// All claims.
  func claims() -> FrameClaims {
    var owners: [String] = []
    var claims: [FrameClaims.Claim] = []
    func owner(_ text: String) -> Int {
      owners.append(text)
      return owners.count - 1
    }
    addFreePages(&claims, owner)
    addPerCPU(&claims, owner)
    addLinearStacks(&claims, owner)
    addAreas(&claims, owner)
    addTables(&claims)
    return FrameClaims(claims, owners: owners)
  }

  private func claim(_ physical: PhysicalAddress, _ bytes: UInt64, _ use: PageUse, _ owner: Int) -> FrameClaims.Claim {
    let first = physical.rawValue >> shift
    let end = (physical.rawValue &+ bytes &+ (1 << shift - 1)) >> shift
    return FrameClaims.Claim(first: first, count: end > first ? end - first : 1, use: use, owner: owner)
  }

  /// Claims the frames that back `range` of kernel addresses.
  private func add(
    _ range: Range<UInt64>, _ use: PageUse, _ owner: Int, _ claims: inout [FrameClaims.Claim]
  ) {
    var here = range.lowerBound
    for _ in 0..<Limits.claimedPages where here < range.upperBound {
      guard let leaf = context.memory.leaf(at: here) else {
        here = (here & ~(1 << shift - 1)) &+ 1 << shift
        continue
      }
      let bytes = min(leaf.size - (leaf.physical.rawValue & (leaf.size - 1)), range.upperBound - here)
      claims.append(claim(leaf.physical, bytes, use, owner))
      here &+= bytes
    }
  }

  /// Free pages on per-CPU lists.
  private func addFreePages(_ claims: inout [FrameClaims.Claim], _ owner: (String) -> Int) {
    guard let perCPU, let lists = PerCPUFreePages(context, perCPU, nodes: nodes) else { return }
    var owners: [Int: Int] = [:]
    lists.forEach { page, order, cpu in
      guard let frame = pages.frame(at: page), claims.count < Limits.claimedPages else { return }
      let name = owners[cpu] ?? owner("free list of CPU \(cpu)")
      owners[cpu] = name
      claims.append(FrameClaims.Claim(first: frame, count: 1 << UInt64(order), use: .free, owner: name))
    }
  }

  /// The first chunk of per-CPU data: a unit for each CPU. (`pcpu_embed_first_chunk`, mm/percpu.c)
  private func addPerCPU(_ claims: inout [FrameClaims.Claim], _ owner: (String) -> Int) {
    guard let perCPU, let section = perCPU.section else { return }
    let sorted = perCPU.offsets.sorted()
    let least = zip(sorted, sorted.dropFirst()).map { $1 &- $0 }.min()
    let known = context.symbols.symbol(named: "pcpu_unit_size").flatMap {
      context.memory.integer(UInt32.self, at: $0.address)
    }
    let unit = known.map(UInt64.init) ?? least ?? UInt64(section.count)
    guard unit > 0, unit <= 64 << 20 else { return }
    for (cpu, offset) in perCPU.offsets.enumerated() {
      let start = section.lowerBound &+ offset
      guard start <= .max - unit else { continue }
      add(start..<(start + unit), .perCPU, owner("CPU \(cpu)"), &claims)
    }
  }

  /// Stacks that are not in vmalloc space (without CONFIG_VMAP_STACK).
  private func addLinearStacks(_ claims: inout [FrameClaims.Claim], _ owner: (String) -> Int) {
    let size = ThreadSize.bytes(context.layout.configuration)
    for task in tasks where task.stack != 0 && task.stack <= .max - size {
      guard area(at: task.stack) == nil, !context.image.isNear(task.stack) else { continue }
      add(task.stack..<(task.stack + size), .stack, owner("\(task.comm) (\(task.pid))"), &claims)
    }
  }

  /// The frames that vmalloc areas map.
  private func addAreas(_ claims: inout [FrameClaims.Claim], _ owner: (String) -> Int) {
    guard let layout = context.layout.layout else { return }
    let tasks = Dictionary(
      self.tasks.lazy.filter { $0.stack != 0 }.map { ($0.stack, $0) }, uniquingKeysWith: { first, _ in first })
    let cpus = Dictionary(
      stacks.all.joined().map { ($0.start, $0) }, uniquingKeysWith: { first, _ in first })
    var known: [UInt64: (use: PageUse, owner: Int)] = [:]
    for area in areas {
      if let task = tasks[area.start] {
        known[area.start] = (.stack, owner("\(task.comm) (\(task.pid))"))
      } else if let stack = cpus[area.start] {
        known[area.start] = (.stack, owner("\(stack.kind.rawValue) stack of CPU \(stack.cpu ?? 0)"))
      } else if let module = modules.containing(area.start) {
        known[area.start] = (.vmalloc, owner("module \(module.name)"))
      } else {
        let caller = area.caller.map { PlaceText.text(of: $0, names) }
        // Further chunks of per-CPU data.
        let isPerCPU = caller?.hasPrefix("pcpu_get_vm_areas") ?? false
        known[area.start] = (isPerCPU ? .perCPU : .vmalloc, caller.map(owner) ?? -1)
      }
    }
    for span in [layout.vmalloc, layout.modules] where span.end &- 1 >= span.start {
      var finder = MappedFrames()
      context.sweep(span.start...(span.end &- 1), &finder)
      for run in finder.runs {
        guard let area = area(at: run.virtual), let found = known[area.start] else { continue }
        claims.append(claim(PhysicalAddress(run.physical), run.size, found.use, found.owner))
      }
    }
  }

  private func area(at address: UInt64) -> VmallocArea? {
    let index = areas.partitioningIndex { $0.start > address } - 1
    return index >= 0 && address < areas[index].end ? areas[index] : nil
  }

  /// The tables under the kernel's root, which are marked as such only if they came from the page allocator.
  private func addTables(_ claims: inout [FrameClaims.Claim]) {
    var finder = TableFrames()
    context.sweep(nil, &finder)
    for table in finder.tables where claims.count < Limits.claimedTables {
      claims.append(claim(table.address, UInt64(table.entries) * 8, .pageTable, -1))
    }
  }
}

/// Collects what leaf entries map.
private struct MappedFrames: SweepObserver {
  var runs: [(virtual: UInt64, physical: UInt64, size: UInt64)] = []
  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    if runs.count < Limits.claimedPages {
      runs.append((entry.virtual.rawValue, physical.rawValue, entry.size))
    }
  }
  mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {}
}

/// Collects the tables, without reading those of the last level.
private struct TableFrames: SweepObserver {
  var tables: [SweptTable] = []
  mutating func enter(_ table: SweptTable) -> Bool {
    if tables.count < Limits.claimedTables { tables.append(table) }
    return table.level < 3
  }
  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {}
  mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {}
}

/// Code addresses as text.
enum PlaceText {
  /// `address` as `%pS` prints it, or in hex if no symbol has it.
  static func text(of address: UInt64, _ names: KernelNames) -> String {
    guard let symbol = names.symbol(containing: address) else { return hex(address) }
    let text = "\(symbol.name)+\(hex(address &- symbol.address))/\(hex(symbol.size))"
    return symbol.module.map { "\(text) [\($0)]" } ?? text
  }
}
