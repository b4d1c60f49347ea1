import DebugInfo

/// The zone and node of a page, in the top bits of its flags: the node highest, the zone below it. With a vmemmap there
/// is no section number above them. (include/linux/page-flags-layout.h)
struct PageZones: Sendable {
  private let nodeBits: UInt64
  private let zoneBits: UInt64

  /// Knows nothing without the types.
  init(_ types: KernelTypes) {
    let zones = types.enumerators(of: "zone_type").first { $0.name == "__MAX_NR_ZONES" }?.value
    // MAX_NUMNODES, from an array with a pointer per node.
    let pairs = types.size(of: "kmem_cache_per_node_ptrs")
    let array = types.member("per_node", "node", of: "kmem_cache")?.size
    let nodes = array.map { $0 / max(1, types.member("per_node", of: "kmem_cache") == nil ? 8 : pairs ?? 8) }
    guard let zones, let nodes, 1...8 ~= zones, 1...1024 ~= nodes else {
      nodeBits = 0
      zoneBits = 0
      return
    }
    func width(_ count: Int) -> UInt64 { count <= 1 ? 0 : UInt64(Int.bitWidth - (count - 1).leadingZeroBitCount) }
    nodeBits = width(nodes)
    zoneBits = width(Int(zones))
  }

  /// The names of the zones by their numbers. (`zone_names`, mm/page_alloc.c)
  static func names(_ types: KernelTypes) -> [String] {
    let names = ["ZONE_NORMAL": "Normal", "ZONE_MOVABLE": "Movable", "ZONE_DEVICE": "Device"]
    return types.enumerators(of: "zone_type").filter { $0.name.hasPrefix("ZONE_") }.sorted { $0.value < $1.value }.map {
      names[$0.name] ?? String($0.name.dropFirst(5))
    }
  }

  /// The zone and node numbers; nil if unknown.
  @inline(__always)
  func place(_ flags: UInt64) -> (zone: Int, node: Int)? {
    guard zoneBits > 0 else { return nil }
    let node = nodeBits == 0 ? 0 : flags >> (64 - nodeBits)
    return (Int(flags >> (64 - nodeBits - zoneBits) & (1 << zoneBits - 1)), Int(node))
  }
}
