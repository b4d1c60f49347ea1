extension CType {
  /// The type in C syntax: "struct list_head *", "char [16]", "void (*)(int)".
  package var text: String { declaration(of: "") }

  /// A declaration of `name` with this type, without a semicolon: "char comm[16]".
  package func declaration(of name: String) -> String { CDeclarator().declaration(of: name, self) }
}

/// Writes declarations. C declares from the inside out: around the name, then around what has been written so far, until
/// a type is reached that has a spelling of its own.
struct CDeclarator {
  /// The spelling of a type that is not a pointer, array or function; nil for the default.
  var spelling: (CType) -> String? = { _ in nil }
  /// The text between the brackets of an array without elements.
  var noElements = ""
  /// Whether the parameters of functions are named.
  var namesParameters = true

  /// A declaration of `name` with `type`, without a semicolon.
  func declaration(of name: String, _ type: CType) -> String {
    var pieces = Limits.declarationPieces
    return declaration(name, type, &pieces)
  }

  private func declaration(_ inner: String, _ type: CType, _ pieces: inout Int) -> String {
    pieces -= 1
    guard pieces > 0 else { return "..." }
    func base(_ name: String) -> String { inner.isEmpty ? name : "\(name) \(inner)" }
    if let name = spelling(type) { return base(name) }
    switch type.shape {
    case .void: return base("void")
    case .integer(let integer): return base(integer.name)
    case .floating(let name, _): return base(name)
    case .record(let record): return base("\(record.keyword) \(record.name.isEmpty ? "{...}" : record.name)")
    case .enumeration(let enumeration): return base("enum \(enumeration.name.isEmpty ? "{...}" : enumeration.name)")
    case .typedef(let name, _): return base(name)
    case .qualified(let qualifier, let target):
      if case .pointer = target.shape {
        return declaration(inner.isEmpty ? qualifier : "\(qualifier) \(inner)", target, &pieces)
      }
      // C has no qualified function types, but compilers describe noreturn functions as volatile.
      if case .function = target.shape { return declaration(inner, target, &pieces) }
      let text = declaration(inner, target, &pieces)
      return text.hasPrefix("\(qualifier) ") ? text : "\(qualifier) \(text)"
    case .pointer(let target):
      let needsSpace = inner.first.map { $0.isLetter && Self.isQualifier(inner) } ?? false
      let pointer = needsSpace ? "* \(inner)" : "*\(inner)"
      var unqualified = target.shape
      for _ in 0..<Limits.typeDepth {
        guard case .qualified(_, let inner) = unqualified else { break }
        unqualified = inner.shape
      }
      switch unqualified {
      case .array, .function: return declaration("(\(pointer))", target, &pieces)
      default: return declaration(pointer, target, &pieces)
      }
    case .array(let element, let count):
      return declaration("\(inner)[\(count == 0 ? noElements : "\(count)")]", element, &pieces)
    case .function(let function):
      var parameters: [String] = []
      for parameter in function.parameters {
        parameters.append(declaration(namesParameters ? parameter.name : "", parameter.type, &pieces))
      }
      if function.isVariadic { parameters.append("...") }
      let list = parameters.isEmpty ? "void" : parameters.joined(separator: ", ")
      return declaration("\(inner)(\(list))", function.result, &pieces)
    case .unknown: return base("?")
    }
  }

  private static func isQualifier(_ text: String) -> Bool {
    ["const", "volatile", "restrict", "_Atomic"].contains { text.hasPrefix($0) }
  }
}
