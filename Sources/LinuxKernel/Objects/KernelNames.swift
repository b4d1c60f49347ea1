import Bytes
import DebugInfo
import KernelLayout

/// The names of the kernel and of its modules.
struct KernelNames: Sendable {
  /// Those of the kernel.
  let kernel: KernelSymbols
  /// Those of its modules.
  let modules: ModuleSymbols
  private let loaded: LoadedModules
  private let memory: KernelMemory
  private let layout: AddressLayout?
  private let types: Lazy<KernelTypes>

  init(_ context: KernelContext, _ loaded: LoadedModules, _ modules: ModuleSymbols) {
    kernel = context.symbols
    self.modules = modules
    self.loaded = loaded
    memory = context.memory
    layout = context.layout.layout
    types = context.types
  }

  /// The symbol of exactly this name, of the kernel or of a module.
  func symbol(named name: String) -> Symbol? {
    kernel.symbol(named: name) ?? modules.symbol(named: name)
  }

  /// The symbol that `address` lies in, of the kernel or of a module.
  func symbol(containing address: UInt64) -> Symbol? {
    if let symbol = kernel.symbol(containing: address) { return symbol }
    // Listing the modules may take a search; none lies where nothing is mapped.
    guard let region = layout?.region(of: address), region == .vmalloc || region == .modules,
      memory.leaf(at: address) != nil, loaded.containing(address) != nil
    else { return nil }
    return modules.symbol(containing: address)
  }

  /// Calls `body` with each symbol of the kernel and then of its modules, until it returns false.
  func forEachSymbol(_ body: (Symbol) -> Bool) {
    var goesOn = true
    kernel.forEachSymbol { symbol in
      goesOn = body(symbol)
      return goesOn
    }
    if goesOn { modules.forEachSymbol(body) }
  }

  /// What is missing, one sentence each. If nothing of the modules can be read, that is left out.
  var notes: [String] {
    guard ModuleReader(memory, types.value).canRead else { return kernel.notes }
    return kernel.notes + loaded.list.value.notes
      + modules.unreadable.map { "the symbols of the module \($0) cannot be read" }
  }
}
