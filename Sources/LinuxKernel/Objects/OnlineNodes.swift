import Bytes

extension KernelContext {
  /// The online NUMA nodes, from the node map that VMCOREINFO names; only node 0 if it names none.
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
