import Bytes
import DebugInfo

/// The loaded modules, listed on first use.
struct LoadedModules: Sendable {
  /// The list.
  let list: Lazy<Listing<KernelModule>>
  /// The kernel's data; nil if unknown.
  private let data: DataSectionScan?

  init(_ memory: KernelMemory, _ types: Lazy<KernelTypes>, _ symbols: KernelSymbols, _ data: DataSectionScan?) {
    self.data = data
    list = Lazy {
      let reader = ModuleReader(memory, types.value)
      guard reader.canRead else {
        return Listing(notes: [types.value.unknown("module")])
      }
      guard let head = symbols.symbol(named: "modules")?.address else {
        return Listing(notes: [
          Diagnostic(
            .symbolUnknown, "modules",
            "the list of modules was not found: no symbol names it, and no module was recognised")
        ])
      }
      return reader.modules(head: head)
    }
  }

  /// The module that `address` is in. Addresses far from the image are in none, so the list is not needed for them.
  func containing(_ address: UInt64) -> KernelModule? {
    guard data?.isNearImage(address) ?? true else { return nil }
    return list.value.elements.first { $0.contains(address) }
  }

  /// The loaded module called `name`.
  func named(_ name: String) -> KernelModule? { list.value.elements.first { $0.name == name } }
}
