import Bytes
import DebugInfo

extension KernelTypes {
  /// The BTF among the sources.
  var btf: BTFTypes? { sources.lazy.compactMap { $0 as? BTFTypes }.first }

  /// The sources that have complete types, in the order they are searched.
  var graphs: [any TypeGraph] { sources.compactMap(\.graph) }

  /// The enumerators of `enum type`; empty if it is unknown.
  func enumerators(of type: String) -> [CEnumerator] {
    for graph in graphs {
      for found in graph.types(named: TypeName(.enumeration, type)) {
        if case .enumeration(let enumeration) = found.shape { return enumeration.enumerators }
      }
    }
    return []
  }

  /// The enumerators of the enumeration, possibly anonymous, that has one called `name`; empty if it is unknown.
  func constants(beside name: String) -> [CEnumerator] {
    // BTF is made of DWARF and has its enumerations, all of them.
    for graph in graphs.prefix(1) {
      if let (type, _) = graph.enumerator(named: name), case .enumeration(let enumeration) = type.shape {
        return enumeration.enumerators
      }
    }
    return []
  }

  /// Why a type is unknown.
  private var absence: String {
    let dwarf = sources.lazy.compactMap { ($0 as? TypesOrShape)?.dwarf }.first
    return "no BTF was found in the dump\(dwarf.map { "; \($0.origin)" } ?? "")"
  }

  /// The diagnostic that no types are known.
  var noTypes: Diagnostic { Diagnostic(.typeUnknown, absence) }

  /// The diagnostic that `type` is unknown; `words` say what follows from that.
  func unknown(_ type: String, _ words: String? = nil) -> Diagnostic {
    Diagnostic(.typeUnknown, type, "\(words ?? "the type \(type) is not known"): \(absence)")
  }
}
