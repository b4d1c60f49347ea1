import Bytes
import DebugInfo

/// Objects of kernels without symbols for data: recognised on demand by their contents, and accepted if what they lead
/// to is consistent.
struct RecognisedObjects: SymbolSource {
  private let places: [String: Lazy<UInt64?>]

  init(_ search: DataSectionScan?, _ types: Lazy<KernelTypes>) {
    guard let search else {
      places = [:]
      return
    }
    places = [
      "init_task": Lazy { TaskReader(search.space, types.value)?.findFirst(search) },
      "modules": Lazy { ModuleReader(search.space, types.value).findHead(search) },
      BPFSymbols.head: Lazy { BPFSymbols.findHead(search, types.value) },
      "vmap_area_list": Lazy { VmallocReader(space: search.space, types: types.value).findHead(search) },
      "prb": Lazy { PrintkRing(types.value.offset, types.value.size).flatMap { $0.find(search) } },
    ]
  }

  var origin: String { "objects recognised in the kernel's data" }
  /// Whether the module list was found, which every kernel that needs this must have.
  var isPresent: Bool { places["modules"]?.value != nil }

  func symbol(named name: String) -> Symbol? {
    places[name]?.value.map { Symbol(name: name, address: $0, size: 1) }
  }

  func symbol(containing address: UInt64) -> Symbol? { nil }

  func forEachSymbol(_ body: (Symbol) -> Bool) {
    for name in places.keys.sorted() {
      if let symbol = symbol(named: name), !body(symbol) { return }
    }
  }
}
