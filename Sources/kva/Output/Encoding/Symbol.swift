import KernelVA

extension Output {
  /// One symbol as a JSON object.
  func symbolJSON(_ symbol: Symbol) {
    jsonLine { object in
      object.string("name", symbol.name)
      object.hex("address", symbol.address)
      object.string("type", symbol.type.map { String(UnicodeScalar($0)) })
      object.string("module", symbol.module)
    }
  }

  /// One symbol as a line of nm(1), with its module.
  func symbolText(_ symbol: Symbol) {
    folded(indent: 19) {
      digits(symbol.address, atLeast: 16)
      text(" \(symbol.type.map { String(UnicodeScalar($0)) } ?? "?") ")
      escapedName(symbol.name)
      if let module = symbol.module { text(" [\(module)]") }
      newline()
    }
  }
}
