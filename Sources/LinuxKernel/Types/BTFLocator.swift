import Bytes
import DebugInfo

/// Finds the BTF of a kernel: after kallsyms by its header, or between its symbols.
enum BTFLocator {
  static func types(_ space: KernelMemory, _ symbols: [any SymbolSource], _ search: ReadOnlyDataScan?) -> BTFTypes? {
    // With sorted names (6.2) a look-up is cheaper than a search, which may scan all read-only data.
    let isOrdered = symbols.contains { ($0 as? KernelKallsyms)?.isOrdered ?? false }
    if isOrdered, let found = named(space, symbols), found.isComplete { return found }
    let found = search?.btf()
    if let found, found.isComplete { return found }
    return named(space, symbols) ?? found
  }

  /// The BTF between the symbols that bound it.
  private static func named(_ space: KernelMemory, _ symbols: [any SymbolSource]) -> BTFTypes? {
    for source in symbols {
      let bounds = source.addresses(of: ["__start_BTF", "__stop_BTF"])
      guard let start = bounds[0], let end = bounds[1] else { continue }
      guard start < end, end - start <= UInt64(Limits.btfBytes),
        let bytes = space.bytes(at: start, count: Int(end - start))
      else { return nil }
      return BTFTypes(bytes, origin: "BTF in the dump")
    }
    return nil
  }
}
