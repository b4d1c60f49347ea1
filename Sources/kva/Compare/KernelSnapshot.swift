import KernelVA

/// The basis for comparing two dumps: amounts by names that do not depend on KASLR.
struct KernelSnapshot {
  /// The kinds of things compared, in output order.
  enum Kind: String, CaseIterable {
    case kernel, region, mapping, module, vmalloc, task, slab, page
  }

  /// The amount under one name.
  struct Amount: Equatable {
    /// Bytes or a count, by which a change is judged small; nil if only the text is compared.
    var size: UInt64?
    /// Changes below this are always small.
    var leastChange: UInt64 = 0
    /// The amount as text, equal if nothing changed.
    var text: String
  }

  private(set) var amounts: [Kind: [String: Amount]] = [:]
  /// What could not be read, and is not compared.
  private(set) var notes: [Diagnostic] = []
  /// Kinds that could not be read completely.
  private(set) var unknown: Set<Kind> = []

  /// Reads what is compared.
  init(_ kernel: Kernel) {
    addKernel(kernel)
    addRegions(kernel)
    addMappings(kernel)
    addModules(kernel)
    addAreas(kernel)
    addTasks(kernel)
    addCaches(kernel)
    addFrames(kernel)
  }

  private mutating func put(_ kind: Kind, _ name: String, _ amount: Amount) {
    amounts[kind, default: [:]][name] = amount
  }

  private mutating func note(_ kind: Kind, _ notes: [Diagnostic]) {
    guard !notes.isEmpty else { return }
    unknown.insert(kind)
    self.notes += notes.map { $0.explaining(kind.rawValue) }
  }

  private mutating func addKernel(_ kernel: Kernel) {
    let facts = kernel.facts
    if let release = facts.release?.value { put(.kernel, "release", Amount(text: release)) }
    if let build = facts.buildID?.value { put(.kernel, "build ID", Amount(text: build)) }
    put(.kernel, "page size", Amount(text: Words.size(facts.granule.value.size)))
    put(.kernel, "VA_BITS", Amount(text: "\(facts.vaBits.value)"))
    if let taint = kernel.taint { put(.kernel, "taint", Amount(text: taint.mask == 0 ? "none" : taint.letters)) }
  }

  /// The sizes of regions, and how much of each is mapped; KASLR decides where they begin.
  private mutating func addRegions(_ kernel: Kernel) {
    guard let listing = kernel.regions() else {
      return note(.region, [Diagnostic(.layoutUnknown, "the layout is not known")])
    }
    var sums: [String: (size: UInt64, mapped: UInt64)] = [:]
    for use in listing.regions where use.row.region != .guardRegion && use.row.region != .hole {
      let name = use.row.region.rawValue
      sums[name, default: (0, 0)].size &+= use.row.span.size
      sums[name, default: (0, 0)].mapped &+= use.mapped ?? 0
    }
    for (name, sum) in sums {
      // With KASLR vmalloc begins elsewhere in each boot; its mappings are compared by area.
      if name != Region.vmalloc.rawValue {
        put(.region, name, Amount(text: "\(Words.size(sum.size))"))
      }
      if ![Region.vmalloc, .modules, .fixmap].map(\.rawValue).contains(name) {
        let mapped = Amount(size: sum.mapped, leastChange: 64 << 10, text: "\(Words.size(sum.mapped)) mapped")
        put(.region, "\(name), mapped", mapped)
      }
    }
  }

  /// The permissions of image sections, modules and regions, and the amounts mapped with each.
  private mutating func addMappings(_ kernel: Kernel) {
    let modules = kernel.modules.elements
    let names = AddressNames(kernel, modules)
    var sums: [String: (bytes: UInt64, first: UInt64, isCode: Bool)] = [:]
    let pass = kernel.mappedRanges { range in
      let attributes = Attributes(range.descriptor)
      var access = Words.permissions(attributes)
      if let type = kernel.memoryType(attributes.attrIndex), type != .normal { access += ", \(type.rawValue)" }
      for place in names.places(range) {
        sums["\(place.name): \(access)", default: (0, place.first, place.isCode)].bytes &+= place.bytes
      }
    }
    for (name, sum) in sums {
      // Any change in the image or a module is worth a line; elsewhere memory comes and goes.
      let symbol = sum.isCode ? kernel.symbol(containing: sum.first) : nil
      let from = symbol.map { ", from \($0.name)+\(Words.hex(sum.first &- $0.address))" } ?? ""
      put(
        .mapping, name,
        Amount(size: sum.bytes, leastChange: sum.isCode ? 1 : 64 << 10, text: "\(Words.size(sum.bytes))\(from)"))
    }
    if pass.problems.fault != nil || pass.result.isCutShort {
      note(.mapping, [Diagnostic(.tableUnreadable, "some tables cannot be read")])
    }
  }

  private mutating func addModules(_ kernel: Kernel) {
    let listing = kernel.modules
    note(.module, listing.notes)
    for module in listing.elements {
      put(.module, module.name, Amount(text: "\(Words.size(module.size)) loaded"))
    }
  }

  /// vmalloc areas by the function that allocated them.
  private mutating func addAreas(_ kernel: Kernel) {
    let listing = kernel.vmallocAreas
    note(.vmalloc, listing.notes)
    var sums: [String: (count: Int, bytes: UInt64)] = [:]
    for area in listing.elements {
      let symbol = area.caller.flatMap { kernel.symbol(containing: $0) }
      let name = symbol.map { $0.name + ($0.module.map { " [\($0)]" } ?? "") } ?? "unknown caller"
      sums[name, default: (0, 0)].count += 1
      sums[name, default: (0, 0)].bytes &+= area.end &- area.start
    }
    for (name, sum) in sums {
      put(
        .vmalloc, name,
        Amount(
          size: sum.bytes, leastChange: 64 << 10,
          text: "\(sum.count) \(sum.count == 1 ? "area" : "areas"), \(Words.size(sum.bytes))"))
    }
  }

  /// Processes by name; kworkers and other pooled kernel threads count as one.
  private mutating func addTasks(_ kernel: Kernel) {
    let listing = kernel.tasks
    note(.task, listing.notes)
    var found: [String: [Int]] = [:]
    var pools: [String: UInt64] = [:]
    for task in listing.elements where task.pid == task.tgid {
      if task.mm == nil, let pool = task.comm.split(separator: "/").first, task.comm.contains("/") {
        pools[String(pool) + "/", default: 0] += 1
      } else {
        found[task.comm, default: []].append(task.pid)
      }
    }
    for (name, pids) in found {
      let text = pids.count == 1 ? "pid \(pids[0])" : "\(pids.count) processes"
      put(.task, name, Amount(size: UInt64(pids.count), leastChange: 1, text: text))
    }
    for (name, count) in pools {
      put(.task, name, Amount(size: count, leastChange: 16, text: "\(count) \(count == 1 ? "thread" : "threads")"))
    }
  }

  private mutating func addCaches(_ kernel: Kernel) {
    let listing = kernel.slabCaches
    note(.slab, listing.notes)
    for summary in listing.elements {
      let objects = UInt64(max(summary.counts.allocated ?? summary.counts.active, 0))
      let bytes = objects.multipliedReportingOverflow(by: UInt64(max(summary.cache.size, 0))).partialValue
      put(
        .slab, summary.cache.name,
        Amount(size: bytes, leastChange: 64 << 10, text: "\(objects) objects, \(Words.size(bytes))"))
    }
  }

  private mutating func addFrames(_ kernel: Kernel) {
    guard let reader = kernel.pageReader else {
      return note(.page, [Diagnostic(.typeUnknown, "struct page is not known, or where it is")])
    }
    var counts: [PageUse: UInt64] = [:]
    for range in kernel.ramFrames {
      reader.forEachFrame(range) { frame in
        counts[frame.use, default: 0] += 1
        return true
      }
    }
    for (use, pages) in counts {
      let bytes = pages &* kernel.regime.granule.size
      put(
        .page, use.rawValue, Amount(size: bytes, leastChange: 256 << 10, text: "\(pages) pages, \(Words.size(bytes))"))
    }
  }
}
