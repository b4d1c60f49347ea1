import Bytes
import DebugInfo

/// The modules that are loaded, listed on first use.
struct LoadedModules: Sendable {
  /// The list.
  let list: Lazy<Listing<KernelModule>>
  /// Where the kernel's data are; nil if unknown.
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

  /// The module that `address` is in. Far from the image there is none, which is known without the list.
  func containing(_ address: UInt64) -> KernelModule? {
    guard data?.isNearImage(address) ?? true else { return nil }
    return list.value.elements.first { $0.contains(address) }
  }

  /// The loaded module called `name`.
  func named(_ name: String) -> KernelModule? { list.value.elements.first { $0.name == name } }
}
