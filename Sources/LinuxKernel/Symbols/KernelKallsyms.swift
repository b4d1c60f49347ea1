import Bytes
import DebugInfo

/// kallsyms of the kernel in a dump, loaded on first use, and used only if confirmed.
struct KernelKallsyms: SymbolSource {
  private let table: Lazy<Kallsyms<KernelMemory>?>

  init(_ space: KernelMemory, _ vmcoreinfo: VMCoreInfo?) {
    table = Lazy { Self.load(space, vmcoreinfo) }
  }

  /// Whether there is one.
  var isPresent: Bool { table.value != nil }
  var origin: String { "kallsyms in the dump" }
  /// What is damaged, as text; nil if nothing is, or there is none.
  var damage: String? { table.value?.damage }
  /// Whether names can be looked up without a pass over them.
  var isOrdered: Bool { table.value?.isOrdered ?? false }
  /// Where its tables end; nil if there is none.
  var end: UInt64? { table.value?.end }
  func symbol(named name: String) -> Symbol? { table.value?.symbol(named: name) }
  func symbol(containing address: UInt64) -> Symbol? {
    guard let symbol = table.value?.symbol(containing: address) else { return nil }
    // A table of only functions has nothing between the label that ends them and the next function.
    let isEnd = symbol.address != address && Self.endsOfText.contains(symbol.name)
    return isEnd && !namesData ? nil : symbol
  }
  func addresses(of names: [String]) -> [Int: UInt64] { table.value?.addresses(of: names) ?? [:] }
  func forEachSymbol(_ body: (Symbol) -> Bool) { table.value?.forEachSymbol(body) }

  /// Whether it names data, as with CONFIG_KALLSYMS_ALL.
  var namesData: Bool { symbol(named: "init_task") != nil }

  /// The labels that end the functions in a table without CONFIG_KALLSYMS_ALL. (scripts/kallsyms.c, `text_ranges`;
  /// `is_ksym_addr`, include/linux/kallsyms.h)
  private static let endsOfText: Set<String> = ["_etext", "_einittext"]

  private static func load(_ space: KernelMemory, _ vmcoreinfo: VMCoreInfo?) -> Kallsyms<KernelMemory>? {
    let told = KallsymsFinder.tables(in: space) { vmcoreinfo?.symbol($0) }
    if let table = believed(told, space, vmcoreinfo) { return table }
    return believed(ReadOnlyDataScan(space, vmcoreinfo)?.kallsymsTables() ?? [], space, vmcoreinfo)
  }

  /// The first of `candidates` whose `_stext` agrees with VMCOREINFO.
  private static func believed(
    _ candidates: [KallsymsTables], _ space: KernelMemory, _ vmcoreinfo: VMCoreInfo?
  ) -> Kallsyms<KernelMemory>? {
    for candidate in candidates {
      guard let table = Kallsyms(candidate, in: space), let text = vmcoreinfo?.symbol("_stext") else { continue }
      if table.has("_stext", at: text) { return table }
    }
    return nil
  }
}
