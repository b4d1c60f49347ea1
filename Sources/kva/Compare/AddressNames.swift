import KernelVA

/// Names of mapped addresses that are stable across boots: the image section, the module and its part, or else the
/// region.
struct AddressNames {
  private let kernel: Kernel
  /// The parts of modules in address order.
  private let parts: [(first: UInt64, end: UInt64, name: String)]

  init(_ kernel: Kernel, _ modules: [KernelModule]) {
    self.kernel = kernel
    parts = modules.flatMap { module in
      module.regions.filter { $0.start < $0.end }.map { ($0.start, $0.end, "module \(module.name) \($0.kind)") }
    }.sorted { $0.0 < $1.0 }
  }

  /// A part of a range.
  struct Place {
    let name: String
    let first: UInt64
    let bytes: UInt64
    /// Whether it belongs to the image or a module.
    let isCode: Bool
  }

  /// The places that `range` covers.
  func places(_ range: MappedRange) -> [Place] {
    let region = range.region?.rawValue ?? "unknown region"
    if range.region == .kernelImage {
      let section = kernel.imageSection(of: VirtualAddress(range.first))
      let name = "kernel image" + (section.map { " \($0)" } ?? "")
      return [Place(name: name, first: range.first, bytes: range.size, isCode: true)]
    }
    func rest(_ bytes: UInt64) -> Place { Place(name: region, first: range.first, bytes: bytes, isCode: false) }
    guard range.region == .modules || range.region == .vmalloc else { return [rest(range.size)] }
    var found: [Place] = []
    var left = range.size
    var number = parts.partitioningIndex { $0.end > range.first }
    while number < parts.count, parts[number].first <= range.last {
      let part = parts[number]
      let first = max(part.first, range.first)
      let bytes = min(part.end - 1, range.last) - first + 1
      found.append(Place(name: part.name, first: first, bytes: bytes, isCode: true))
      left = left > bytes ? left - bytes : 0
      number += 1
    }
    if left > 0 { found.append(rest(left)) }
    return found
  }
}
