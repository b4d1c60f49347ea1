import KernelVA

/// The mapped ranges, for a debugger's region queries.
struct MemoryRegions {
  /// A range with the same permissions.
  struct Range {
    var first: UInt64
    var last: UInt64
    /// Those of `rwx` that are allowed; empty if nothing is mapped.
    var permissions: String
    var name: String
  }

  private let kernel: Kernel
  /// By root table; 0 for the kernel's.
  private var spaces: [UInt64: [Range]] = [:]

  init(_ kernel: Kernel) { self.kernel = kernel }

  /// The range that `address` is in.
  ///
  /// - Parameter root: the tables of the lower half; nil if there are none.
  mutating func range(of address: VirtualAddress, root: PhysicalAddress?) -> Range {
    let isUser = !address.isUpperHalf
    guard !isUser || root != nil else { return Range(first: 0, last: .max >> 1, permissions: "", name: "") }
    let ranges = ranges(isUser ? root : nil)
    let value = address.rawValue
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].last < value { low = middle + 1 } else { high = middle }
    }
    if low < ranges.count, ranges[low].first <= value { return ranges[low] }
    let edge: UInt64 = isUser ? 0 : 1 << 63
    return Range(
      first: low > 0 ? ranges[low - 1].last + 1 : edge,
      last: low < ranges.count ? ranges[low].first - 1 : edge + (.max >> 1), permissions: "", name: "")
  }

  private mutating func ranges(_ root: PhysicalAddress?) -> [Range] {
    let key = root?.rawValue ?? 0
    if let known = spaces[key] { return known }
    final class Found { var ranges: [Range] = [] }
    let found = Found()
    _ = kernel.mappedRanges(user: root.map { kernel.userRegime(root: $0) }) { mapped in
      let attributes = Attributes(mapped.descriptor)
      let isExecutable = root == nil ? attributes.isExecutableEL1 : attributes.isExecutableEL0
      let permissions = "r" + (attributes.isWritable ? "w" : "") + (isExecutable ? "x" : "")
      let name = mapped.region?.rawValue ?? (root == nil ? "" : "user")
      if let last = found.ranges.last, last.last &+ 1 == mapped.first, last.permissions == permissions,
        last.name == name
      {
        found.ranges[found.ranges.count - 1].last = mapped.last
      } else if found.ranges.count < Limits.ranges {
        found.ranges.append(
          Range(first: mapped.first, last: mapped.last, permissions: permissions, name: name))
      }
    }
    if spaces.count >= Limits.spaces { spaces = [:] }
    spaces[key] = found.ranges
    return found.ranges
  }
}
