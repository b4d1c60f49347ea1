import Bytes
import DebugInfo

/// Symbols, per-CPU variables and enumerators.
extension Evaluator {
  /// The operand that `name` denotes.
  func name(
    _ name: String, module: String?, cpu: Int?, _ range: Range<Int>
  ) throws(ExpressionFailure) -> Operand {
    let symbol: Symbol?
    if let module {
      guard modules.named(module) != nil else {
        throw ExpressionFailure(
          modules.list.value.notes.first ?? Diagnostic(.noSuchModule, module, "no module '\(module)' is loaded"),
          at: range)
      }
      symbol = names.modules.symbol(named: name, module: module)
    } else {
      symbol = names.symbol(named: name) ?? template(named: name)
    }
    guard let symbol else {
      if cpu == nil, module == nil, let constant = constant(name) { return constant }
      throw ExpressionFailure(unknown(name), at: range)
    }
    var address = symbol.address
    if cpu != nil || memory.leaf(at: address) == nil {
      let owner = symbol.module.flatMap { modules.named($0) }
      let isPerCPU = perCPU.value?.isVariable(symbol, of: owner, in: memory)
      if let cpu {
        if isPerCPU == false { throw ExpressionFailure("'\(name)' is no per-CPU variable", at: range) }
        address &+= try offset(ofCPU: cpu, range)
      } else if isPerCPU == true {
        throw ExpressionFailure("'\(name)' is a per-CPU variable: use \(name)@cpu0 or per_cpu(\(name), 0)", at: range)
      }
    }
    return .memory(address, type(of: symbol, at: address), symbol: name)
  }

  /// The template of a per-CPU variable known only from BTF.
  private func template(named name: String) -> Symbol? {
    guard let perCPU = perCPU.value else { return nil }
    if let symbol = perCPU.symbol(named: name) { return symbol }
    return perCPU.templates(of: [name], names.kernel, context.types.value)[name].map { Symbol(name: name, address: $0) }
  }

  /// The type of a symbol: from DWARF or BTF, or of a well-known one if its contents agree.
  private func type(of symbol: Symbol, at address: UInt64) -> CType? {
    if let module = symbol.module {
      guard case .success(let graph) = lookup.graph(ofModule: module) else { return nil }
      return graph.variable(named: symbol.name) ?? graph.function(named: symbol.name)
    }
    // Each look-up is a pass over all types, so only the one for the symbol's kind is made.
    let isCode = symbol.type.map { "tTwW".utf8.contains($0) }
    func described(_ graphs: some Sequence<any TypeGraph>) -> CType? {
      for graph in graphs {
        if isCode != true, let type = graph.variable(named: symbol.name) { return type }
        if isCode != false, let type = graph.function(named: symbol.name) { return type }
      }
      return nil
    }
    // BTF is in memory; DWARF needs a pass over a file.
    return described(lookup.graphs.prefix(1)) ?? WellKnownGlobals(evaluator: self).type(of: symbol, at: address)
      ?? described(lookup.graphs.dropFirst())
  }

  private func constant(_ name: String) -> Operand? {
    switch name {
    case "NULL": return .number(0, .pointer(.void))
    case "true": return .number(1, .integer(.int))
    case "false": return .number(0, .integer(.int))
    default: break
    }
    for graph in lookup.graphs.prefix(1) + lookup.moduleGraphs {
      if let (type, value) = graph.enumerator(named: name) { return .number(UInt64(bitPattern: value), type) }
    }
    // A full-width address without 0x, as the kernel often prints it.
    if name.utf8.count == 16, let value = Hex.number(name[...]) { return .number(value, .integer(.unsignedLong)) }
    return nil
  }

  private func unknown(_ name: String) -> String {
    if (8...16).contains(name.utf8.count), Hex.number(name[...]) != nil {
      return "no symbol '\(name)'; a number in hex begins with 0x"
    }
    if !lookup.types(named: TypeName(nil, name)).isEmpty {
      return
        "'\(name)' is a type, no value; (\(lookup.types(named: TypeName(nil, name))[0].text) *)ADDRESS points to one"
    }
    var near = NameSuggestions(name)
    names.kernel.forEachName { near.consider($0) }
    names.modules.forEachSymbol { symbol in
      near.consider(symbol.name)
      return true
    }
    let best = near.best
    return "no symbol '\(name)'" + (best.isEmpty ? "" : "; did you mean \(best.joined(separator: ", "))?")
  }

  // MARK: - Per-CPU data

  /// What to add to the address of a per-CPU variable for CPU number `cpu`. (`__per_cpu_offset`, mm/percpu.c)
  private func offset(ofCPU cpu: Int, _ range: Range<Int>) throws(ExpressionFailure) -> UInt64 {
    guard let offsets = perCPU.value?.offsets else {
      throw ExpressionFailure("__per_cpu_offset cannot be read, so no CPU's data is known", at: range)
    }
    guard offsets.indices.contains(cpu) else {
      throw ExpressionFailure("there is no CPU \(cpu): there are 0 to \(offsets.count - 1)", at: range)
    }
    return offsets[cpu]
  }

  func perCPU(
    _ variable: Syntax, _ cpu: Syntax, isPointer: Bool
  ) throws(ExpressionFailure) -> Operand {
    let number = Int(try integer(cpu))
    if isPointer {
      let pointer = try scalar(variable)
      return .number(pointer.value &+ (try offset(ofCPU: number, cpu.range)), pointer.type)
    }
    guard case .name(let name, let module, nil) = variable.form else {
      throw ExpressionFailure("per_cpu takes the name of a variable; per_cpu_ptr takes a pointer", at: variable.range)
    }
    _ = try offset(ofCPU: number, cpu.range)
    return try self.name(name, module: module, cpu: number, variable.range)
  }
}
