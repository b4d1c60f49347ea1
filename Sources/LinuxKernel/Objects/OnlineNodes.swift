import Bytes

extension KernelContext {
  /// The NUMA nodes that are online, by the map that VMCOREINFO names; node 0 alone where it names none.
  var onlineNodes: [Int] {
    guard let map = vmcoreinfo?.symbol("node_online_map") else { return [0] }
    let words = min(vmcoreinfo?.size("nodemask_t") ?? 8, Limits.nodes / 8) / 8
    let nodes = (0..<words).flatMap { index in
      let word = memory.word(at: map &+ UInt64(index) &* 8) ?? 0
      return (0..<64).filter { word >> UInt64($0) & 1 == 1 }.map { index * 64 + $0 }
    }
    return nodes.isEmpty ? [0] : nodes
  }
}
