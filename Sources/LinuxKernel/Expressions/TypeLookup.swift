import Bytes
import DebugInfo

/// Finds whole types by name: those of the kernel, from BTF or else DWARF, then those of its modules.
package struct TypeLookup: Sendable {
  let types: Lazy<KernelTypes>
  let modules: LoadedModules
  let moduleTypes: Lazy<ModuleTypes>

  /// The type sources of the kernel itself, in the order they are searched.
  var graphs: [any TypeGraph] { types.value.graphs }

  /// The types of the module called `name`, or why there are none.
  func graph(ofModule name: String) -> Result<any TypeGraph, ExpressionFailure> {
    guard let module = modules.named(name) else {
      return .failure(
        ExpressionFailure(
          modules.list.value.notes.first ?? Diagnostic(.noSuchModule, name, "no module '\(name)' is loaded")))
    }
    switch moduleTypes.value.types(of: module) {
    case .types(let types): return .success(types)
    case .missing(let reason): return .failure(ExpressionFailure(reason))
    }
  }

  /// The types of all modules that have any.
  var moduleGraphs: [any TypeGraph] {
    modules.list.value.elements.compactMap { module in
      if case .types(let types) = moduleTypes.value.types(of: module) { types } else { nil }
    }
  }

  /// The types called `name`: of the kernel if it has any, else of its modules. Two source files may each define a type
  /// of the same name.
  func types(named name: TypeName) -> [CType] {
    for graph in graphs {
      let found = graph.types(named: name)
      if !found.isEmpty { return found }
    }
    return moduleGraphs.flatMap { $0.types(named: name) }
  }

  /// The types that `text` names: `struct NAME`, `union NAME`, `enum NAME` or `NAME`, prefixed with `MODULE:` for those
  /// of one module.
  func types(_ text: String) -> Result<[CType], ExpressionFailure> {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let name = TypeName(parts[parts.count - 1])
    guard !name.name.isEmpty else { return .failure(ExpressionFailure("give the name of a type, such as task_struct")) }
    if parts.count > 1 {
      let module = String(parts[0])
      return graph(ofModule: module).flatMap { graph in
        let found = graph.types(named: name)
        return found.isEmpty
          ? .failure(
            ExpressionFailure(
              Diagnostic(.noSuchType, "\(name)", "the module \(module) defines no type '\(name)'"))) : .success(found)
      }
    }
    let found = types(named: name)
    return found.isEmpty ? .failure(ExpressionFailure(unknown(name))) : .success(found)
  }

  /// The type of the function or variable `name`, from BTF or DWARF.
  func type(ofSymbol name: String) -> CType? {
    for graph in graphs + moduleGraphs {
      if let type = graph.variable(named: name) ?? graph.function(named: name) { return type }
    }
    return nil
  }

  /// The member that `text` names, `TYPE.MEMBER`, nested ones too; nil if it has no dot.
  func member(_ text: String) -> Result<FoundMember, ExpressionFailure>? {
    guard let dot = text.firstIndex(of: ".") else { return nil }
    return types(String(text[..<dot])).flatMap { types in
      var found = FoundMember(type: types[0], firstBit: 0, bitCount: nil)
      for name in text[text.index(after: dot)...].split(separator: ".", omittingEmptySubsequences: false) {
        guard let record = found.type.record else {
          return .failure(ExpressionFailure("'\(found.type.text)' has no members"))
        }
        guard let next = record.member(named: String(name)) else {
          return .failure(ExpressionFailure(Evaluator.unknown(String(name), in: record)))
        }
        found = FoundMember(type: next.type, firstBit: found.firstBit + next.firstBit, bitCount: next.bitCount)
      }
      return .success(found)
    }
  }

  /// The BTF of the kernel, or of the module called `name`.
  func btf(ofModule name: String?) -> Result<BTFTypes, ExpressionFailure> {
    if let name {
      return graph(ofModule: name).flatMap { graph in
        (graph as? BTFTypes).map { .success($0) }
          ?? .failure(ExpressionFailure(Diagnostic(.typeUnknown, name, "the module \(name) has no BTF")))
      }
    }
    guard let btf = types.value.btf else {
      return .failure(ExpressionFailure(Diagnostic(.typeUnknown, "no BTF was found in the dump")))
    }
    return .success(btf)
  }

  /// All types of the kernel and of each module that has any, or those of the module called `name`. With DWARF, the
  /// named types of the kernel, and the types that they need.
  func all(ofModule name: String?) -> Result<[[CType]], ExpressionFailure> {
    if name == nil, types.value.btf == nil, let graph = graphs.first {
      var named: [CType] = []
      graph.forEachType { _, type in
        named.append(type)
        return true
      }
      return .success([named])
    }
    return btf(ofModule: name).map { btf in
      ([btf] + (name == nil ? moduleGraphs.compactMap { $0 as? BTFTypes } : [])).map(\.ownTypes)
    }
  }

  /// The diagnostic for a type without a definition.
  func unknown(_ name: TypeName) -> Diagnostic {
    guard !graphs.isEmpty else { return types.value.unknown("\(name)", "no type '\(name)'") }
    func none(_ advice: String) -> Diagnostic { Diagnostic(.noSuchType, "\(name)", "no type '\(name)'" + advice) }
    // It may exist with another tag.
    let others = types(named: TypeName(nil, name.name)).map(\.text)
    if name.space != nil, let other = others.first { return none("; there is '\(other)'") }
    var near = NameSuggestions(name.name)
    for graph in graphs.prefix(1) {
      graph.forEachType { other, _ in
        if name.space == nil || name.space == other.space { near.consider(other.name) }
        return true
      }
    }
    let best = near.best
    return none(best.isEmpty ? "" : "; did you mean \(best.joined(separator: ", "))?")
  }

  /// Calls `body` with each named type of the kernel, then of each module, until it returns false.
  func forEachType(_ body: (TypeName, CType) -> Bool) {
    var goesOn = true
    for graph in graphs.prefix(1) + moduleGraphs where goesOn {
      graph.forEachType { name, type in
        goesOn = body(name, type)
        return goesOn
      }
    }
  }
}
