import Bytes
import DebugInfo
import KernelLayout

/// The symbols of the kernel, its modules and BPF programs.
struct KernelNames: Sendable {
  /// Those of the kernel.
  let kernel: KernelSymbols
  /// Those of its modules.
  let modules: ModuleSymbols
  /// Those of BPF programs.
  let bpf: Lazy<BPFSymbols>
  private let loaded: LoadedModules
  private let memory: KernelMemory
  private let layout: AddressLayout?
  private let types: Lazy<KernelTypes>

  init(_ context: KernelContext, _ loaded: LoadedModules, _ modules: ModuleSymbols) {
    kernel = context.symbols
    self.modules = modules
    self.loaded = loaded
    bpf = Lazy { BPFSymbols(context.memory, context.types.value, context.symbols) }
    memory = context.memory
    layout = context.layout.layout
    types = context.types
  }

  /// The symbol of exactly this name, of the kernel, a module or a BPF program.
  func symbol(named name: String) -> Symbol? {
    kernel.symbol(named: name) ?? modules.symbol(named: name)
      ?? (name.hasPrefix("bpf_") ? bpf.value.symbol(named: name) : nil)
  }

  /// The symbol that `address` lies in, of the kernel, a module or a BPF program.
  func symbol(containing address: UInt64) -> Symbol? {
    if let symbol = kernel.symbol(containing: address) { return symbol }
    // Listing the modules may need a search, so skip addresses where no module can be.
    guard let region = layout?.region(of: address), [.vmalloc, .modules, .bpfJIT].contains(region),
      let leaf = memory.leaf(at: address)
    else { return nil }
    if loaded.containing(address) != nil { return modules.symbol(containing: address) }
    return leaf.attributes.isExecutableEL1 ? bpf.value.symbol(containing: address) : nil
  }

  /// Calls `body` with each symbol of the kernel, then of its modules and of BPF programs, until it returns false.
  func forEachSymbol(_ body: (Symbol) -> Bool) {
    var goesOn = true
    kernel.forEachSymbol { symbol in
      goesOn = body(symbol)
      return goesOn
    }
    guard goesOn else { return }
    modules.forEachSymbol { symbol in
      goesOn = body(symbol)
      return goesOn
    }
    guard goesOn else { return }
    for symbol in bpf.value.all where !body(symbol) { return }
  }

  /// Notes on what is missing; nothing is said if no module can be read at all.
  var notes: [Diagnostic] {
    guard ModuleReader(memory, types.value).canRead else { return kernel.notes }
    return kernel.notes + loaded.list.value.notes + bpf.value.notes
      + modules.unreadable.map {
        Diagnostic(.objectUnreadable, "\($0)", "the symbols of the module \($0) cannot be read")
      }
  }
}
