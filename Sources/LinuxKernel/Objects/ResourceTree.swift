import DebugInfo

/// A physical address range and its owner, as listed in /proc/iomem.
package struct PhysicalResource: Hashable, Sendable {
  /// The name, such as "System RAM".
  package let name: String
  /// The first address.
  package let start: UInt64
  /// The last address.
  package let last: UInt64
}

/// The kernel's tree of physical address resources. (`iomem_resource`, kernel/resource.c)
struct ResourceTree: Sendable {
  let context: KernelContext

  /// The resources that `physical` is in, the outermost first; empty if none is, or the tree cannot be read.
  func path(to physical: UInt64) -> [PhysicalResource] {
    let types = context.types.value
    func member(_ name: String) -> TypeMember? { types.member(name, of: "resource") }
    guard let root = context.symbols.symbol(named: "iomem_resource")?.address, let start = member("start"),
      let end = member("end"), let name = member("name"), let child = member("child"), let sibling = member("sibling")
    else { return [] }
    func view(_ address: UInt64) -> StructView { StructView(space: context.memory, address: address) }
    var result: [PhysicalResource] = []
    var here = view(root).pointer(child)
    var left = Limits.resources
    while let address = here, address != 0, left > 0 {
      left -= 1
      let resource = view(address)
      guard let first = resource.number(start), let last = resource.number(end) else { break }
      guard physical >= first, physical <= last else {
        here = resource.pointer(sibling)
        continue
      }
      let text = resource.pointer(name).flatMap { context.memory.string(at: $0, limit: 256) } ?? "?"
      result.append(PhysicalResource(name: text, start: first, last: last))
      here = resource.pointer(child)
    }
    return result
  }
}
