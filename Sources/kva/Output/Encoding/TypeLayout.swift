import KernelVA

extension CType {
  /// The source of the type.
  var origin: String { if case .described(let graph, _) = self { graph.origin } else { "C" } }
  /// The module that defines it; nil for the kernel itself.
  var module: String? { if case .described(let graph, _) = self { graph.module } else { nil } }

  /// The kind of type in a word.
  var kind: String {
    switch shape {
    case .void: "void"
    case .integer: "int"
    case .floating: "float"
    case .pointer: "pointer"
    case .array: "array"
    case .record(let record): record.keyword
    case .enumeration: "enum"
    case .typedef: "typedef"
    case .qualified: "qualified"
    case .function: "function"
    case .unknown: "unknown"
    }
  }
}

extension Output {
  /// A type as a JSON object.
  func typeJSON(_ type: CType) {
    jsonLine { object in
      object.string("type", type.text)
      object.string("kind", type.kind)
      object.number("size", type.size)
      object.array("members", type.record?.members ?? []) { object, member in
        object.string("name", member.name)
        object.string("type", member.type.text)
        object.number("bit", member.firstBit)
        object.number("bits", member.bitCount)
      }
      if case .enumeration(let enumeration) = type.resolved {
        object.array("enumerators", enumeration.enumerators) { object, item in
          object.string("name", item.name)
          object.integer("value", item.value, isSigned: enumeration.isSigned)
        }
      }
      object.string("source", type.origin)
      object.string("module", type.module)
    }
  }

  /// A type as pahole(1) prints it.
  func typeText(_ type: CType) {
    for line in CLayoutPrinter.lines(of: type) {
      printable(line)
      newline()
    }
  }

  /// The declaration of a function or a variable.
  func declarationText(_ name: String, _ type: CType) {
    printable(type.declaration(of: name))
    text(";\n")
  }

  /// The name and the size of a type.
  func typeNameText(_ name: TypeName, _ type: CType) {
    decimal(UInt64(type.size ?? 0), width: 8)
    text("  ")
    printable(name.description)
    if let module = type.module { text("  [\(module)]") }
    newline()
  }

  /// A member, `TYPE.MEMBER`, as a JSON object.
  func memberJSON(_ name: String, _ member: FoundMember) {
    let dot = name.firstIndex(of: ".") ?? name.endIndex
    jsonLine { object in
      object.string("type", String(name[..<dot]))
      object.number("offset", member.firstBit / 8)
      object.string("member", String(name[dot...].dropFirst()))
      object.number("memberOffset", 0)
    }
  }

  /// A member's declaration with its offset.
  func memberText(_ name: String, _ member: FoundMember) {
    printable(member.type.declaration(of: String(name[(name.firstIndex(of: ".") ?? name.startIndex)...].dropFirst())))
    if let count = member.bitCount { text(":\(count)") }
    text(";  /* offset \(Words.hex(UInt64(member.firstBit / 8)))")
    if member.bitCount != nil { text(", bit \(member.firstBit % 8)") }
    text(", size \(member.type.size ?? 0) */\n")
  }

  /// What is at an offset in a type as a JSON object.
  func typeMemberJSON(_ type: CType, _ offset: UInt64, _ member: (path: String, rest: Int)?) {
    jsonLine { object in
      object.string("type", type.text)
      object.number("offset", offset)
      object.string("member", member?.path)
      object.number("memberOffset", member?.rest)
    }
  }

  /// What is at an offset in a type as a line.
  func typeMemberText(_ type: CType, _ offset: UInt64, _ member: (path: String, rest: Int)?) {
    text("\(type.text) + \(Words.hex(offset)): ")
    if let member {
      text(member.path)
      if member.rest > 0 { text(" + \(Words.hex(UInt64(member.rest)))") }
    } else {
      text("no member: padding")
    }
    newline()
  }
}
