import Bytes
import DebugInfo

/// The per-CPU memory of slab caches, which is dynamic and so has no symbol.
struct SlabPerCPUParts: Sendable {
  /// The cache that it belongs to, and which member.
  struct Part: Sendable {
    var start: UInt64
    var size: UInt64
    var name: String
  }

  private let parts: [Part]

  /// - Parameter caches: the caches to include.
  init(_ caches: [SlabCache], _ layout: SlabLayout, _ memory: KernelMemory, _ types: KernelTypes) {
    let kinds: [(member: TypeMember?, type: String)] = [
      (layout.cpuSlab, "kmem_cache_cpu"), (layout.cpuSheaves, "slub_percpu_sheaves"),
      (layout.array?.cpuArray, "array_cache"),
    ]
    var parts: [Part] = []
    for (member, type) in kinds {
      guard let member, let size = types.size(of: type), size > 0 else { continue }
      for cache in caches {
        guard let start = StructView(space: memory, address: cache.address).number(member), start != 0 else { continue }
        parts.append(Part(start: start, size: UInt64(size), name: "\(type) of \(cache.name)"))
      }
    }
    self.parts = parts.sorted { $0.start < $1.start }
  }

  /// The name of what the per-CPU pointer `address` points into, and the offset; nil if it belongs to no cache.
  func part(at address: UInt64) -> (name: String, offset: UInt64)? {
    let index = parts.partitioningIndex { $0.start > address } - 1
    guard index >= 0, address - parts[index].start < parts[index].size else { return nil }
    return (parts[index].name, address - parts[index].start)
  }
}
