extension CType {
  /// The type as C writes it: "struct list_head *", "char [16]", "void (*)(int)".
  package var text: String { declaration(of: "") }

  /// A declaration of `name` with this type, without a semicolon: "char comm[16]".
  package func declaration(of name: String) -> String {
    var pieces = Limits.declarationPieces
    return declaration(name, &pieces)
  }

  /// C declares from the inside out: `inner` is what has been written around the name so far.
  private func declaration(_ inner: String, _ pieces: inout Int) -> String {
    pieces -= 1
    guard pieces > 0 else { return "..." }
    func base(_ name: String) -> String { inner.isEmpty ? name : "\(name) \(inner)" }
    switch shape {
    case .void: return base("void")
    case .integer(let integer): return base(integer.name)
    case .floating(let name, _): return base(name)
    case .record(let record): return base("\(record.keyword) \(record.name.isEmpty ? "{...}" : record.name)")
    case .enumeration(let enumeration): return base("enum \(enumeration.name.isEmpty ? "{...}" : enumeration.name)")
    case .typedef(let name, _): return base(name)
    case .qualified(let qualifier, let target):
      if case .pointer = target.shape {
        return target.declaration(inner.isEmpty ? qualifier : "\(qualifier) \(inner)", &pieces)
      }
      if case .array(let element, let count) = target.shape {
        return "\(qualifier) " + element.declaration("\(inner)[\(count)]", &pieces)
      }
      return "\(qualifier) " + target.declaration(inner, &pieces)
    case .pointer(let target):
      let needsSpace = inner.first.map { $0.isLetter && Self.isQualifier(inner) } ?? false
      let pointer = needsSpace ? "* \(inner)" : "*\(inner)"
      switch target.shape {
      case .array, .function: return target.declaration("(\(pointer))", &pieces)
      default: return target.declaration(pointer, &pieces)
      }
    case .array(let element, let count):
      return element.declaration("\(inner)[\(count == 0 ? "" : "\(count)")]", &pieces)
    case .function(let function):
      var parameters: [String] = []
      for parameter in function.parameters { parameters.append(parameter.type.declaration(parameter.name, &pieces)) }
      if function.isVariadic { parameters.append("...") }
      let list = parameters.isEmpty ? "void" : parameters.joined(separator: ", ")
      return function.result.declaration("\(inner)(\(list))", &pieces)
    case .unknown: return base("?")
    }
  }

  private static func isQualifier(_ text: String) -> Bool {
    ["const", "volatile", "restrict", "_Atomic"].contains { text.hasPrefix($0) }
  }
}
