import Bytes
import DebugInfo

/// The list that a free object is on.
package enum FreeList: Hashable, Sendable {
  /// On the free list of its slab.
  case slab
  /// On the free list of a CPU.
  case cpu(Int)
  /// In a CPU's sheaf (since 6.18).
  case sheaf(Int)
  /// In a full sheaf of a node's barn.
  case barn
  /// In a CPU's RCU sheaf, to be freed when a grace period ends: until then readers may use it.
  case rcu(Int)
  /// In the array of free objects of a node (SLAB).
  case node
  /// In the KFENCE pool, in a page of its own.
  case kfence

  /// Whether its objects are not yet free.
  package var isPending: Bool {
    if case .rcu = self { return true }
    return false
  }
}

/// The free objects of a cache outside its slabs' own lists: on CPUs and in sheaves.
struct CacheFreeLists: Sendable {
  /// A CPU's free list in the slab that it allocates from.
  struct Active: Sendable {
    var cpu: Int
    /// The `struct slab`.
    var slab: UInt64
    /// The first free object, or 0.
    var first: UInt64
  }

  /// The CPUs' slabs.
  private(set) var active: [Active] = []
  /// The first slab on each CPU's partial list.
  private(set) var partial: [UInt64] = []
  /// The objects in sheaves, or in SLAB's arrays.
  private(set) var inSheaves: [UInt64: FreeList] = [:]
  /// Why free objects may be missing; nil if none are.
  private(set) var problem: String?

  init(_ cache: SlabCache, _ layout: SlabLayout, _ memory: KernelMemory, _ perCPU: PerCPU?, nodes: [Int]) {
    let object = StructView(space: memory, address: cache.address)
    if let array = layout.array {
      readArrays(object, layout, array, memory, perCPU, nodes)
      return
    }
    if layout.cpuSlab != nil || layout.cpuSheaves != nil {
      guard let perCPU else {
        problem = "where the CPUs have their data is not known"
        return
      }
      for (cpu, offset) in perCPU.offsets.enumerated() {
        readSlab(object, layout, memory, cpu, offset)
        readSheaves(object, layout, memory, cpu, offset)
      }
    }
    for node in nodes { readBarn(object, layout, memory, node) }
  }

  /// Reads SLAB's per-CPU and per-node arrays.
  private mutating func readArrays(
    _ object: StructView, _ layout: SlabLayout, _ array: SlabArrayLayout, _ memory: KernelMemory, _ perCPU: PerCPU?,
    _ nodes: [Int]
  ) {
    guard let perCPU, let start = object.number(array.cpuArray) else {
      return miss("where the CPUs have their arrays is not known")
    }
    for (cpu, offset) in perCPU.offsets.enumerated() where start != 0 {
      readArray(start &+ offset, .cpu(cpu), array, memory)
    }
    for node in nodes {
      guard let member = layout.nodes else { break }
      guard let part = memory.pointer(at: object.address &+ UInt64(member.offset + node * layout.nodeStride)) else {
        miss("node \(node) of the cache cannot be read")
        continue
      }
      guard part != 0 else { continue }
      let view = StructView(space: memory, address: part)
      if let shared = view.pointer(array.shared), shared != 0 { readArray(shared, .node, array, memory) }
      guard let alien = view.pointer(array.alien), alien != 0 else { continue }
      for other in nodes {
        guard let own = memory.pointer(at: alien &+ UInt64(other) &* 8), own != 0 else { continue }
        readArray(own &+ UInt64(array.alienArray), .node, array, memory)
      }
    }
  }

  private mutating func readArray(
    _ address: UInt64, _ list: FreeList, _ array: SlabArrayLayout, _ memory: KernelMemory
  ) {
    guard let count = StructView(space: memory, address: address).number(array.count),
      count <= UInt64(Limits.sheafObjects)
    else { return miss("the array at \(hex(address)) cannot be read, or is damaged") }
    for index in 0..<count {
      guard let object = memory.pointer(at: address &+ UInt64(array.entries) &+ index &* 8) else {
        return miss("the array at \(hex(address)) cannot be read, or is damaged")
      }
      inSheaves[object] = list
    }
  }

  private mutating func readSlab(
    _ object: StructView, _ layout: SlabLayout, _ memory: KernelMemory, _ cpu: Int, _ offset: UInt64
  ) {
    guard let member = layout.cpuSlab else { return }
    guard let start = object.number(member) else { return miss("the cache cannot be read") }
    guard start != 0 else { return }
    let own = StructView(space: memory, address: start &+ offset)
    guard let first = own.pointer(layout.cpuFreelist), let slab = own.pointer(layout.cpuPage) else {
      return miss("what CPU \(cpu) has of the cache cannot be read")
    }
    if slab != 0 { active.append(Active(cpu: cpu, slab: slab, first: first)) }
    if let partial = own.pointer(layout.cpuPartial), partial != 0 { self.partial.append(partial) }
  }

  private mutating func readSheaves(
    _ object: StructView, _ layout: SlabLayout, _ memory: KernelMemory, _ cpu: Int, _ offset: UInt64
  ) {
    guard let member = layout.cpuSheaves else { return }
    guard let start = object.number(member) else { return miss("the cache cannot be read") }
    guard start != 0 else { return }
    let own = StructView(space: memory, address: start &+ offset)
    for (kind, member) in layout.sheaves {
      guard let sheaf = own.pointer(member) else {
        miss("the sheaves of CPU \(cpu) cannot be read")
        continue
      }
      if sheaf != 0 { readSheaf(sheaf, layout, memory, kind == .rcu ? .rcu(cpu) : .sheaf(cpu)) }
    }
  }

  private mutating func readBarn(_ object: StructView, _ layout: SlabLayout, _ memory: KernelMemory, _ node: Int) {
    guard let full = layout.barnFull, let link = layout.sheafLink, let nodes = layout.nodes else { return }
    let place = object.address &+ UInt64(nodes.offset + node * layout.nodeStride)
    let barn: UInt64?
    if let offset = layout.nodeBarn {
      barn = memory.pointer(at: place &+ UInt64(offset))
    } else if let member = layout.barn {
      let own = memory.pointer(at: place &+ UInt64(layout.nodeOffset))
      barn = own == 0 ? 0 : own.flatMap { StructView(space: memory, address: $0).pointer(member) }
    } else {
      return
    }
    guard let barn else { return miss("the sheaves of node \(node) cannot be read") }
    guard barn != 0 else { return }
    let list = memory.list(at: barn &+ UInt64(full.offset), named: "sheaves_full", limit: Limits.sheaves)
    if let note = list.notes.first { miss(note.text) }
    for element in list.elements { readSheaf(element &- UInt64(link.offset), layout, memory, .barn) }
  }

  private mutating func readSheaf(_ address: UInt64, _ layout: SlabLayout, _ memory: KernelMemory, _ list: FreeList) {
    guard let size = StructView(space: memory, address: address).number(layout.sheafSize),
      let objects = layout.sheafObjects, size <= UInt64(Limits.sheafObjects)
    else { return miss("the sheaf at \(hex(address)) cannot be read, or is damaged") }
    for index in 0..<size {
      guard let object = memory.pointer(at: address &+ UInt64(objects.offset) &+ index &* 8) else {
        return miss("the sheaf at \(hex(address)) cannot be read, or is damaged")
      }
      inSheaves[object] = list
    }
  }

  private mutating func miss(_ reason: String) { problem = problem ?? reason }
}
