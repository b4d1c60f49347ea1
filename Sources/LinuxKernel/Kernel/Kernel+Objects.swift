import Bytes
import CrashDump
import DebugInfo
import VMSA

extension Kernel {
  /// The loaded modules.
  public var modules: Listing<KernelModule> { contents.modules.list.value }

  /// The vmalloc areas.
  public var vmallocAreas: Listing<VmallocArea> { contents.areas.value }

  /// The tasks, `init_task` first.
  public var tasks: Listing<KernelTask> { contents.tasks.value }

  /// One task for each address space: threads share one.
  package var addressSpaces: [KernelTask] {
    var seen: Set<UInt64> = []
    return tasks.elements.filter { task in task.root != nil && task.mm.map { seen.insert($0).inserted } ?? false }
  }

  /// The log.
  public var log: Listing<LogRecord> { contents.log }

  /// The types as the code of a module sees them: its own, then the kernel's.
  ///
  /// - Parameter module: the module's name, such as "ext4"; nil for the kernel itself.
  package func types(ofModule module: String?) -> ModuleTypeSources {
    guard let module else { return ModuleTypeSources(types: types, note: nil) }
    guard let loaded = contents.modules.named(module) else {
      return ModuleTypeSources(types: types, note: modules.notes.first?.text ?? "no module '\(module)' is loaded")
    }
    switch contents.moduleTypes.value.types(of: loaded) {
    case .types(let own): return ModuleTypeSources(types: KernelTypes([own] + types.sources), note: nil)
    case .missing(let reason): return ModuleTypeSources(types: types, note: reason)
    }
  }

  /// Calls `body` with each symbol of the kernel and then of its modules, until it returns false.
  public func forEachSymbol(_ body: (Symbol) -> Bool) { contents.names.forEachSymbol(body) }

  /// What is missing from the symbols.
  package var symbolNotes: [Diagnostic] { contents.names.notes }

  /// The symbol called `name`, of the kernel or of a vmlinux.
  public func symbol(named name: String) -> Symbol? { symbols.symbol(named: name) }

  /// The symbol that `address` lies in, of the kernel or of a module.
  public func symbol(containing address: UInt64) -> Symbol? { contents.names.symbol(containing: address) }

  /// The source line of the code at `address`; nil if DWARF does not have it.
  public func sourceLine(at address: UInt64) -> SourceLine? { contents.sourceLines?.line(at: address) }
}
